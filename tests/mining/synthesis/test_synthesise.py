"""Rows from passages, through the protocol, as a user gets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import read_rows
from cosmith.errors import InputError
from cosmith.mining.synthesis import (
    DIFFICULTIES,
    QUESTION_TYPES,
    Budget,
    Passage,
    SynthesisSettings,
    builtin_personas,
    counts_by_sort,
    load_personas,
    nearest_personas,
    passages_of,
    preview,
    samples_by_sort,
    write_synthetic_rows,
)
from cosmith.mining.synthesis.checks import is_copy, is_other_language, is_other_script, is_too_long, words_of

Write = Callable[..., Any]
WORDS = ["the", "bees", "dance", "inside", "hives", "蜜", "蜂", "ничего"]


def prompts(model: Any) -> list[str]:
    return [body["messages"][-1]["content"] for body in model.asked]


def test_queries_are_made_in_two_steps_and_say_where_they_are_from(
    language_model: Any, write: Write, passages: list[Passage], words_encoder: Any, tmp_path: Path
) -> None:
    with language_model() as model:
        made = write(model, each=2, languages=("en",), words=(6, 9))
    assert len(made.rows) == 12
    assert (made.passages, made.finished, made.stopped_by, made.rejected) == (6, 6, None, [])
    assert made.usage.requests == len(model.asked) == 18  # a configuration and two queries for each of six
    assert made.usage.cached == 0
    texts = {each.id: each.text for each in passages}
    assert [each.passage for each in made.rows] == [name for name in texts for _ in range(2)]
    personas = builtin_personas()
    nearest = nearest_personas(words_encoder(), list(texts.values()), personas)
    for number, each in enumerate(made.rows):
        assert each.row.positives == (texts[each.passage],)
        assert each.row.group == each.passage
        assert each.model == "stand-in"
        given = each.assignment
        assert given.character in [personas[place] for place in nearest[number // 2]]
        assert given.question_type in QUESTION_TYPES
        assert given.difficulty in DIFFICULTIES
        assert given.language == "en"
        asked = next(
            prompt for prompt in prompts(model) if given.character in prompt and f"{given.words} words" in prompt
        )
        assert "Language: English" in asked
        assert texts[each.passage] in asked
        assert (2 <= given.words <= 6) if given.question_type == "keywords" else (6 <= given.words <= 9)
    write_synthetic_rows(tmp_path / "rows.jsonl", made.rows)
    read = read_rows(tmp_path / "rows.jsonl")
    assert [(row.query, row.positives, row.group) for row in read.rows] == [
        (each.row.query, each.row.positives, each.row.group) for each in made.rows
    ]
    record = json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {"character", "question_type", "difficulty", "language", "words", "model", "template", "made_from"} < set(
        record
    )


def test_a_request_says_how_the_answer_shall_be(language_model: Any, write: Write) -> None:
    with language_model() as model:
        write(
            model, types=("keywords", "yes_or_no"), parameters={"top_p": 0.5}, tokens_parameter="max_completion_tokens"
        )
    first, second = (body for body in model.asked if "bees" in body["messages"][-1]["content"].lower())
    assert (first["model"], first["top_p"], first["max_completion_tokens"]) == ("stand-in", 0.5, 400)
    assert "max_tokens" not in first
    about = first["response_format"]["json_schema"]
    one = about["schema"]["$defs"]["configuration"]
    assert about["strict"] is True
    assert one["properties"]["question_type"]["enum"] == ["keywords", "yes_or_no"]
    assert one["properties"]["character"]["enum"] == [1, 2, 3, 4, 5]
    assert one["additionalProperties"] is False
    assert second["response_format"]["json_schema"]["schema"]["required"] == ["query"]
    assert "Authorization" not in model.headers


def test_the_same_run_twice_asks_nothing_and_gives_the_same(language_model: Any, write: Write) -> None:
    with language_model() as model:
        first = write(model, each=2)
        asked = len(model.asked)
        second = write(model, each=2, concurrency=1)
        assert len(model.asked) == asked
        third = write(model, each=2, model="another one")
        assert len(model.asked) == 2 * asked
    assert second.rows == first.rows
    assert (second.usage.requests, second.usage.money, second.usage.cached) == (0, 0.0, first.usage.requests)
    assert third.rows != first.rows  # they say who wrote them


def test_rows_do_not_depend_on_what_stands_around_a_passage(
    language_model: Any, write: Write, passages: list[Passage], tmp_path: Path
) -> None:
    with language_model() as model:
        whole = write(model)
        few = write(model, passages=passages[4:1:-1], cache=tmp_path / "other.sqlite", concurrency=1)
    assert sorted(few.rows, key=repr) == sorted((row for row in whole.rows if row in few.rows), key=repr)
    assert len(few.rows) == 3


def test_pairs_of_other_kinds(language_model: Any, write: Write, passages: list[Passage]) -> None:
    with language_model() as model:
        same = write(model, product="paraphrases").rows
        across = write(model, product="translations", languages=("es", "it")).rows
        classes = write(model, product="classes", classes=("praise", "complaint"), words=(4, 30)).rows
    assert len(same) == 6
    assert all(each.row.query == passage.text for each, passage in zip(same, passages, strict=True))
    assert same[0].row.positives[0].split() == passages[0].text.split()[::-1]
    assert [each.assignment.language for each in across] == ["es", "it"] * 6
    assert all(words_of(each.row.positives[0])[0].endswith("o") for each in across)
    assert counts_by_sort(classes) == {"praise": 6, "complaint": 6}
    assert classes[0].row.positives == ("praise",)
    assert classes[0].row.negatives == ("complaint",)
    assert "praise" in classes[0].row.query.lower()
    assert {sort: len(shown) for sort, shown in samples_by_sort(classes).items()} == {"praise": 3, "complaint": 3}


def test_equal_texts_are_written_about_once(language_model: Any, write: Write, passages: list[Passage]) -> None:
    with language_model() as model:
        made = write(model, passages=[*passages, Passage("again", passages[0].text)])
    assert made.passages == 6
    assert "again" not in {each.passage for each in made.rows}


def test_what_is_longer_than_the_model_shall_see_stays_whole_in_the_row(language_model: Any, write: Write) -> None:
    long = Passage("long", "Barometers measure pressure. " + "Hidden ending follows. " * 50)
    with language_model() as model:
        made = write(model, passages=[long], most_characters=28)
    assert made.rows[0].row.positives == (long.text,)
    assert not any("Hidden" in prompt for prompt in prompts(model))


def test_what_was_made_of_the_chunks_of_a_document_belongs_together(language_model: Any, write: Write) -> None:
    chunks = {
        "guide.md#0-40": "Barometers measure pressure above oceans.",
        "guide.md#41-80": "Anemometers count gusts.",
        "notes#1": "Hygrometers tell moisture.",
    }
    with language_model() as model:
        made = write(model, passages=passages_of(chunks))
        same = write(model, passages=passages_of(chunks), product="paraphrases")
    assert [each.passage for each in made.rows] == list(chunks)
    assert [each.row.group for each in made.rows] == ["guide.md", "guide.md", "notes#1"]
    assert [each.row.document_group for each in made.rows] == ["guide.md", "guide.md", "notes#1"]
    assert {each.row.document_group for each in same.rows} == {None}


def test_it_runs_where_a_loop_of_events_runs_already(language_model: Any, write: Write) -> None:
    async def notebook() -> int:
        return len(write(model).rows)

    with language_model() as model:
        assert asyncio.run(notebook()) == 6


def test_a_preview_asks_nothing_and_is_near_what_it_takes(
    language_model: Any, write: Write, passages: list[Passage], words_encoder: Any
) -> None:
    settings = SynthesisSettings(each=2)
    budget = Budget(1.0, 2.0)
    seen = preview(passages, settings, budget=budget, encoder=words_encoder())
    with language_model() as model:
        made = write(model, each=2, budget=budget)
        assert len(model.asked) == seen.requests == 18
    asked = {body["messages"][-1]["content"] for body in model.asked}
    configurations = [request.prompt for _, name, request in seen.prompts if name == "configuration"]
    assert len(seen.prompts) == 9
    assert len(configurations) == 3
    assert set(configurations) <= asked
    assert seen.input_tokens == pytest.approx(made.usage.input_tokens, rel=0.1)
    assert seen.money == pytest.approx((seen.input_tokens + 2 * seen.output_tokens) / 1e6)
    assert "about 18 requests" in seen.describe()


def test_personas_are_the_nearest_and_ones_own_are_taken(words_encoder: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# comment\na keeper of hives\n\nan expert of towers\na keeper of hives\n")
    mine = load_personas(tmp_path / "mine.txt")
    assert mine == ["a keeper of hives", "an expert of towers"]
    found = nearest_personas(words_encoder(), ["towers of an expert", "hives of a keeper"], mine, top=5)
    np.testing.assert_array_equal(found, [[1, 0], [0, 1]])
    assert len(builtin_personas()) >= 200
    (tmp_path / "empty.txt").write_text("# nothing\n")
    for name, told in (("empty.txt", "holds no persona"), ("absent.txt", "no such file")):
        with pytest.raises(ValueError, match=told):
            load_personas(tmp_path / name)


@given(st.lists(st.sampled_from(WORDS), min_size=6, max_size=30), st.data())
def test_a_run_of_words_of_the_passage_is_a_copy_of_it(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 6))
    stop = data.draw(st.integers(start + 6, len(words)))
    passage = " ".join(words)
    assert is_copy(", ".join(words[start:stop]).upper() + "?", passage)
    assert not is_copy(" ".join([*words[start:stop], "zebra"]), passage)


def test_what_is_too_long_or_of_another_script() -> None:
    assert not is_too_long("word " * 18, 4)
    assert is_too_long("word " * 19, 4)
    assert not is_copy("waggle dances inside hives", "Bees know waggle dances inside hives.")  # a term may be all
    assert is_copy("Bees know!", "bees know")
    for text, language, other in (
        ("蜜蜂如何跳舞", "German", True), ("蜜蜂如何跳舞", "zh", False), ("how do bees dance", "Chinese", True),
        ("как танцуют пчёлы", "ru", False), ("как танцуют пчёлы", "English", True), ("ミツバチのダンス", "ja", False),
        ("how do bees dance", "Klingon", False), ("42?", "ru", False), ("Σύνταγμα", "el", False),
    ):  # fmt: skip
        assert is_other_script(text, language) == other, (text, language)
        assert is_other_language(text, language) == other, (text, language)


def test_languages_of_one_script_are_told_apart_where_there_is_enough_to_go_by(monkeypatch: pytest.MonkeyPatch) -> None:
    german = "Wie beantrage ich meinen Urlaub, und wie viele Tage bekomme ich im Jahr, wenn ich halbtags arbeite?"
    norwegian = "Hvordan søker jeg om ferie, og hvor mange dager får jeg i året hvis jeg bare jobber halv dag?"
    for text, language, other in (
        (german, "English", True), (german, "de", False), (german, "German", False), (german, "Klingon", False),
        (norwegian, "Danish", False), (german, "fr", True), ("Wie beantrage ich Urlaub?", "English", False),
    ):  # fmt: skip
        assert is_other_language(text, language) == other, (text, language)

    def absent(texts: object) -> None:
        raise InputError("is not installed")

    monkeypatch.setattr("cosmith.mining.synthesis.checks.detect_languages", absent)
    assert not is_other_language(german, "English")
