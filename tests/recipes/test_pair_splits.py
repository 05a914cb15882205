"""Parting a team's own pairs: nothing is lost, and no query of a set is trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import Collection, Source, TrainingRow
from cosmith.data.splits import split_by_key
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.pair_splits import Limits, joined_groups, sampled, split_source

TEXTS = st.text("abc", min_size=1, max_size=3)
ROWS = st.lists(
    st.builds(
        TrainingRow,
        query=TEXTS,
        positives=st.lists(TEXTS, min_size=1, max_size=2).map(tuple),
        group=st.none() | st.sampled_from("xyz"),
    ),
    min_size=1,
    max_size=60,
)


@given(ROWS)
def test_rows_stay_together_exactly_when_a_chain_of_queries_and_groups_joins_them(rows: list[TrainingRow]) -> None:
    names = joined_groups(rows)
    # A naive flood fill over "same query or same group".
    parts: list[set[int]] = []
    for number in range(len(rows)):
        if any(number in part for part in parts):
            continue
        part, edge = {number}, [number]
        while edge:
            row = rows[edge.pop()]
            for other, candidate in enumerate(rows):
                same_group = row.group is not None and row.group == candidate.group
                if other not in part and (row.query == candidate.query or same_group):
                    part.add(other)
                    edge.append(other)
        parts.append(part)
    assert len(set(names)) == len(parts)
    assert all(len({names[number] for number in part}) == 1 for part in parts)


@given(ROWS, st.booleans(), st.integers(0, 5), st.integers(1, 4), st.integers(1, 30))
def test_no_query_of_a_set_is_trained_on(
    rows: list[TrainingRow], grouped: bool, seed: int, queries: int, documents: int
) -> None:
    rows = [replace(row, group=(row.group or row.query) if grouped else None) for row in rows]
    whole = Source.from_rows("whole", rows)
    if len(set(joined_groups(rows))) < 10:
        with pytest.raises(InputError, match="too few to split"):
            split_source(whole, dev=0.2, test=0.2, seed=seed)
        return
    limits = Limits(queries, documents)
    split = split_source(whole, dev=0.2, test=0.2, seed=seed, dev_limits=limits, test_limits=limits)
    trained = {row.query for row in whole.rows_where(split.train)}
    seen: set[str] = set(trained)
    for part in (split.dev, split.test):
        assert part is not None
        asked = set(part.queries.values())
        assert 1 <= len(asked) <= queries
        assert not asked & seen
        seen |= asked
        answers = {part.documents[name] for grades in part.relevance.values() for name in grades}
        assert answers == {text for row in rows if row.query in asked for text in row.positives}
        assert len(part.documents) <= max(documents, len(answers))
    again = split_source(whole, dev=0.2, test=0.2, seed=seed, dev_limits=limits, test_limits=limits)
    assert np.array_equal(again.train, split.train)
    assert (again.dev, again.test) == (split.dev, split.test)


STOOD: dict[bool, Any] = {
    True: [
        62,
        [{"q0": "other 4", "q6": "other 16", "q9": "other 23"},
         ["d4", "d16", "d23", "d26", "d64", "d76", "d83", "d86"]],
        [{"q0": "query 2", "q6": "other 20", "q9": "other 25"},
         ["d2", "d20", "d22", "d25", "d42", "d74", "d80", "d85"]],
    ],
    False: [
        63,
        [{"q1": "query 19", "q2": "other 10", "q4": "other 19"},
         ["d10", "d19", "d24", "d39", "d41", "d59", "d70", "d79"]],
        [{"q2": "query 17", "q7": "other 14", "q11": "other 28"},
         ["d14", "d17", "d25", "d28", "d37", "d57", "d74", "d88"]],
    ],
}  # fmt: skip


def _as_in_memory(
    rows: list[TrainingRow], keys: list[int], part: str, limits: Limits, seed: int
) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """The documents, queries and relevance of a part, drawn from all rows in memory by plain dictionaries."""
    shares = {"train": 1 - 0.2 - 0.2, "dev": 0.2, "test": 0.2}  # not 0.6, by a bit
    members = np.flatnonzero(split_by_key(np.array(keys, dtype=np.uint64), shares) == list(shares).index(part))
    corpus: dict[str, str] = {}
    for row in rows:
        for text in (*row.positives, *row.negatives):
            corpus.setdefault(text, f"d{len(corpus)}")
    answers: dict[str, dict[str, int]] = {}
    for number in members:
        row = rows[number]
        answers.setdefault(row.query, {}).update({corpus[text]: 1 for text in row.positives})
    whole = Collection(
        part,
        {name: text for text, name in corpus.items()},
        {f"q{number}": query for number, query in enumerate(answers)},
        {f"q{number}": grades for number, grades in enumerate(answers.values())},
    )
    some = sampled(whole, limits, seed)
    return dict(some.documents), dict(some.queries), {name: dict(some.relevance[name]) for name in some.relevance}


@given(ROWS, st.integers(0, 5), st.integers(1, 4), st.integers(1, 30))
def test_sets_are_drawn_as_from_rows_in_memory(
    rows: list[TrainingRow], seed: int, queries: int, documents: int
) -> None:
    rows = [replace(row, group=None, negatives=(row.query,)) for row in rows]
    if len(set(joined_groups(rows).tolist())) < 10:
        return
    limits = Limits(queries, documents)
    whole = Source.from_rows("whole", rows)
    split = split_source(whole, dev=0.2, test=0.2, seed=seed, dev_limits=limits, test_limits=limits)
    assert list(whole.rows_where(split.train)) == [row for row, kept in zip(rows, split.train, strict=True) if kept]
    for part, found in (("dev", split.dev), ("test", split.test)):
        assert found is not None
        expected = _as_in_memory(rows, joined_groups(rows, seed).tolist(), part, limits, seed)
        assert (found.documents, found.queries, found.relevance) == expected
        assert list(found.documents) == list(expected[0])  # in the same order


@pytest.mark.parametrize("grouped", [True, False])
def test_stays_what_it_is(grouped: bool) -> None:
    # Runs made with one version must find the same split in the next.
    rows = [TrainingRow(f"query {n % 20}", (f"answer {n}",), group=f"g{n % 15}") for n in range(60)]
    rows += [TrainingRow(f"other {n}", (f"answer {n}", f"more {n}"), group=f"o{n // 2}") for n in range(30)]
    whole = Source.from_rows("whole", rows if grouped else [replace(row, group=None) for row in rows])
    limits = Limits(3, 8)
    split = split_source(whole, dev=0.1, test=0.2, seed=3, dev_limits=limits, test_limits=limits)
    assert split.dev is not None
    assert split.test is not None
    sets = [[dict(each.queries), list(each.documents)] for each in (split.dev, split.test)]
    assert [int(split.train.sum()), *sets] == STOOD[grouped]


def test_without_shares_all_rows_are_for_training() -> None:
    split = split_source(Source.from_rows("whole", [TrainingRow("a", ("b",))]), dev=0, test=0, seed=0)
    assert (split.train.tolist(), split.dev, split.test) == ([True], None, None)


def test_case_and_spacing_do_not_make_another_query() -> None:
    rows = [TrainingRow("Reset  my password", ("a",)), TrainingRow("reset my Password", ("b",))]
    assert len(set(joined_groups(rows))) == 1


def test_rows_without_answers_cannot_make_a_test_set() -> None:
    rows = [TrainingRow(f"q{number}", (), label=number % 2) for number in range(40)]
    with pytest.raises(InputError, match="no row of the dev part has a positive"):
        split_source(Source.from_rows("whole", rows), dev=0.2, test=0.2, seed=0)


def test_a_source_is_parted_by_time_or_by_row_and_no_query_crosses(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"query": f"word{n % 50}", "positive": f"document {n}", "asked": f"2024-03-{1 + n // 4:02}"} for n in range(100)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "name: t\nstages:\n  data: {{kind: source, path: {}, dev: 0.1, test: 0.2, {}}}\n"

    def parted(settings: str) -> tuple[dict[str, Any], Source, Collection]:
        folder = tmp_path / str(len(settings))
        splits = run_recipe(load_recipe(parse_document(text.format(path, settings))), folder)["data"]["splits"]
        place = folder / "data"
        return splits, Source.load(place / "train"), Collection.read_beir(place / "test")

    splits, train, test = parted("split: time, time: asked")
    assert set(test.queries.values()) == {f"word{n % 50}" for n in range(80, 100)}
    # Four rows a day: rows 68 to 79 are dev, as near to a tenth as whole days come, and rows before ask the same again.
    assert splits["train"] == {"pairs": 36, "crossing": 32}
    assert {row.query for row in train.rows()} == {f"word{n}" for n in range(18)}
    splits, train, test = parted("split: time, time: asked, test_from: 2024-03-25")
    assert set(test.queries.values()) == {f"word{n % 50}" for n in range(96, 100)}
    splits, train, test = parted("split: row")
    assert not {row.query for row in train.rows()} & set(test.queries.values())
    assert splits["train"]["crossing"] > 0
    for settings, said in (("split: time", "belong together"), ("split: row, test_from: 2024-03-25", "test_from")):
        with pytest.raises(InputError, match=said):
            parted(settings)
    with pytest.raises(InputError, match="no time that can be read"):
        parted("split: time, time: query")
