"""What a survey finds in rows and texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.data import Part, survey
from cosmith.errors import InputError

ROWS: list[dict[str, Any]] = [
    {"question": "How do I reset it?", "answer": "Press the button for five seconds.", "negative": "Call us."},
    {"question": "How do I reset it?", "answer": "Press the button for five seconds.", "negative": "Call us."},
    {"question": "Wie setze ich das zurück?", "answer": "Drücken Sie den Knopf fünf Sekunden lang.", "negative": ""},
    {"question": "", "answer": "x", "negative": ""},
    {"question": "Where?", "answer": "a " * 40, "negative": ""},
    {"question": " ", "answer": "x", "negative": ""},
    {"question": "", "answer": "x", "negative": ""},
]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_rows(pairs: Path) -> None:
    found = survey(pairs)
    assert (found.format, found.rows, found.repeated_rows, found.unit) == ("JSON lines", 4, 1, "words")
    assert found.columns == {"query": "question", "positive": "answer", "negative": "negative"}
    assert {part.role: (part.texts, part.distinct) for part in found.parts} == {
        "query": (4, 3), "positive": (4, 3), "negative": (2, 1),
    }  # fmt: skip
    query, answer, _ = found.parts
    assert dict(query.lengths) == {5: 3, 1: 1}
    assert (query.total, query.quantile(0.5), query.quantile(1.0), query.cut) == (16, 5, 5, 0)
    assert query.histogram() == [(0, 1, 1), (2, 2, 0), (3, 4, 0), (5, 8, 3)]
    assert answer.quantile(1) == 40
    assert [(kind.reason, kind.count, [row.line for row in kind.first]) for kind in found.rejected] == [
        ("the query is empty", 2, [4, 7]), ("the query is only whitespace", 1, [6]),
    ]  # fmt: skip
    assert json.loads(json.dumps(found.to_dict()))["parts"][0]["total_length"] == 16


def test_what_a_model_cuts(pairs: Path) -> None:
    found = survey(pairs, measure=lambda texts, role: np.array([len(text.split()) + 2 for text in texts]), limit=8)
    answer = found.parts[1]
    assert found.unit == "tokens"
    assert [(text.line, text.length) for text in answer.overlong] == [(3, 9), (5, 42)]
    assert (answer.overlong_count, answer.cut, answer.total) == (2, 1 + 34, 8 + 8 + 9 + 42)


def test_what_test_sets_share(pairs: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.csv"
    test.write_text("query,positive\nhow do I  RESET it?,Never\nhow do I  RESET it?,call us.\nWho?,We.\n")
    found = survey(pairs, against=[test])
    assert [(each.role, each.texts, each.shared, each.examples) for each in found.shared] == [
        ("queries", 2, 1, ("how do I  RESET it?",)), ("documents", 3, 1, ("call us.",)),
    ]  # fmt: skip
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d", "text": "Call us."}\n{"_id": "e", "text": "new"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "Where?"}\n')
    (folder / "qrels" / "test.tsv").write_text("q\td\t1\n")
    found = survey(pairs, against=[folder])
    assert [(each.role, each.texts, each.shared) for each in found.shared] == [("queries", 1, 1), ("documents", 2, 1)]


def test_texts_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,text\nT,one\n,T one\nU,\n")
    found = survey(tmp_path / "a.csv")
    assert found.columns == {"text": "text", "title": "title"}
    assert [(part.role, part.texts, part.distinct) for part in found.parts] == [("text", 3, 2)]
    assert found.repeated_rows == 1
    (tmp_path / "b.txt").write_text("one\ntwo\n")
    assert survey(tmp_path / "b.txt").columns == {}
    (tmp_path / "c.csv").write_text("left,right\na,b\n")
    with pytest.raises(InputError, match="no column is called query"):
        survey(tmp_path / "c.csv")
    assert survey(tmp_path / "c.csv", query="left", positive="right").rows == 1
    assert survey(tmp_path / "c.csv", column="right").columns == {"text": "right"}


def test_the_sample_has_its_size_and_is_fair(tmp_path: Path) -> None:
    pytest.importorskip("cosmith.data.cleaning")
    path = tmp_path / "t.txt"
    path.write_text("".join(f"text number {n}\n" for n in range(300)))
    (part,) = survey(path, sample=20).parts
    assert part.sampled == sum(part.languages.values()) == 20
    assert part.texts == 300


def test_a_language_is_not_guessed_from_a_word(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    long = "The train to the coast leaves at noon and stops twice before it gets there."
    german = "Der Zug an die Küste fährt mittags ab und hält zweimal, bevor er dort ankommt."
    path.write_text("\n".join([*(f"{word}" for word in ("Information", "refund", "OK", "Müller", "42")), long, german]))
    (part,) = survey(path).parts
    assert part.languages == {"und": 5, "en": 1, "de": 1}


def test_quantiles_of_any_lengths() -> None:
    lengths = {3: 2, 10: 1, 200: 1}
    part = Part("query", 4, 4, lengths, 8, (), 0, {}, 0)
    every = sorted(length for length, count in lengths.items() for _ in range(count))
    for share in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        assert part.quantile(share) == int(np.quantile(every, share, method="inverted_cdf"))
    assert sum(count for _, _, count in part.histogram()) == 4
    assert part.cut == 2 + 192


def test_near_duplicates_are_counted_beside_exact_ones(tmp_path: Path) -> None:
    text = " ".join(f"word{n}" for n in range(60))
    texts = [text, text, f"{text} more", text.replace("word30", "other"), "Something else that stands by itself."]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in texts))
    (part,) = survey(tmp_path / "texts.jsonl").parts
    assert (part.texts, part.distinct, part.sampled, part.compared, part.near_duplicates) == (5, 4, 5, 4, 2)
    (part,) = survey(tmp_path / "texts.jsonl", sample=2).parts
    assert part.sampled == 2
    assert part.compared <= 2
