"""The stage that brings training rows in, in whatever form they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Collection, Source, TrainingRow, read_rows
from cosmith.errors import InputError
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.pair_splits import split_source


def _run(folder: Path, path: str, **settings: Any) -> dict[str, Any]:
    recipe = {"name": "rows", "seed": 5, "stages": {"data": {"kind": "source", "path": path, **settings}}}
    return run_recipe(load_recipe(parse_document(json.dumps(recipe))), folder)["data"]


def _records(count: int) -> list[dict[str, Any]]:
    return [
        {
            "query": f"query {n % 40}",
            "positive": [f"answer {n}"],
            "negative": f"no answer {n % 7}",
            "group": f"g{n % 20}",
        }
        for n in range(count)
    ]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two splits of two files each, one row of which is bad."""
    records = [*_records(90), {"query": "", "positive": "p", "group": "g"}]
    for split in ("train", "test"):
        for number in range(2):
            file = tmp_path / "shards" / f"{split}-{number}.jsonl"
            file.parent.mkdir(exist_ok=True)
            file.write_text("".join(json.dumps(record) + "\n" for record in records[number::2]))
    return tmp_path / "shards"


def test_a_split_of_shards_is_parted_as_the_same_rows_in_memory(shards: Path, tmp_path: Path) -> None:
    result = _run(tmp_path / "run", f"{shards}:train", dev=0.2, test=0.2)
    rows = read_rows(f"{shards}:train").rows
    whole = Source.from_rows("whole", rows)
    expected = split_source(whole, dev=0.2, test=0.2, seed=5)
    trained = list(whole.rows_where(expected.train))
    folder = tmp_path / "run" / "data"
    assert list(Source.load(folder / "train").rows()) == trained
    for name, held_out in (("dev", expected.dev), ("test", expected.test)):
        assert held_out is not None
        written = Collection.read_beir(folder / name)
        assert (written.documents, written.queries, written.relevance) == (
            held_out.documents, held_out.queries, held_out.relevance,
        )  # fmt: skip
    assert result["pairs"] == 90
    assert result["format"] == "the split 'train', 2 JSON lines files"
    assert result["dropped"] == {"the query is empty": 1}
    (rejected,) = map(json.loads, Path(result["rejected_file"]).read_text().splitlines())
    assert (Path(rejected["path"]).name, rejected["line"]) == ("train-0.jsonl", 46)
    assert result["examples"][0] == {"query": trained[0].query, "document": trained[0].positives[0]}
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]


def test_all_rows_may_be_for_training(shards: Path, tmp_path: Path) -> None:
    _run(tmp_path / "run", f"{shards}:test", dev=0, test=0)
    assert len(Source.load(tmp_path / "run" / "data" / "train")) == 90


def test_a_folder_that_has_changed_is_read_again(shards: Path, tmp_path: Path) -> None:
    assert _run(tmp_path / "run", f"{shards}:test", dev=0, test=0)["pairs"] == 90
    more = "".join(json.dumps({"query": f"new {n}", "positive": "p", "group": "g"}) + "\n" for n in range(3))
    (shards / "test-2.jsonl").write_text(more)
    assert _run(tmp_path / "run", f"{shards}:test", dev=0, test=0)["pairs"] == 93


def test_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"anchor": "a", "positive": "b"}, {"anchor": "c", "positive": "d"}])

    def load_dataset(repository: str, configuration: str | None, *, streaming: bool) -> Any:
        return datasets.IterableDatasetDict({"train": rows.to_iterable_dataset()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    result = _run(tmp_path / "run", "hf:someone/pairs", dev=0, test=0)
    assert result["columns"] == {"query": "anchor", "positive": "positive"}
    assert list(Source.load(tmp_path / "run" / "data" / "train").rows()) == [
        TrainingRow("a", ("b",)), TrainingRow("c", ("d",)),
    ]  # fmt: skip


def test_what_cannot_be_split_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("query,positive\n" + "a,b\n" * 5)
    with pytest.raises(InputError, match=r"few\.csv: too few to split: 5 rows with 1 separate query or group"):
        _run(tmp_path / "run", str(tmp_path / "few.csv"))
    left = [each for each in (tmp_path / "run").rglob("*") if each.name in ("rows.arrow", ".rows")]
    assert not left


def test_a_column_that_few_rows_fill_is_told_and_may_be_named(tmp_path: Path) -> None:
    rows = [record | ({"score": [1, 0]} if number < 3 else {}) for number, record in enumerate(_records(90))]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = _run(tmp_path / "run", str(tmp_path / "rows.jsonl"), dev=0, test=0)
    assert (result["pairs"], result["dropped"]) == (90, {})
    assert "column 'score' is not used: 3 of 90 rows have a value" in result["notes"][0]
    assert "column 'score' is not used" in (tmp_path / "run" / "data" / "data.md").read_text(encoding="utf-8")
    named = _run(tmp_path / "named", str(tmp_path / "rows.jsonl"), dev=0, test=0, scores="score")
    assert (named["pairs"], named["dropped"]) == (3, {"score 1 is missing": 87})
