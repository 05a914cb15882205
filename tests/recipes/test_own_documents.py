"""What stages that search know of the documents that rows are from: these are no wrong answers to their queries."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Source, read_texts
from cosmith.mining import round_trip
from cosmith.models import Encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

HEAD = """\
name: t
base: {base}
precision: float32
stages:
  docs: {{kind: texts, path: {docs}}}
  more: {{kind: texts, path: {more}}}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two files of documents whose ids are the same: each word of a document says which it is of."""
    folder, chance = tmp_path_factory.mktemp("files"), random.Random(0)
    for name in ("docs", "more"):
        with (folder / f"{name}.jsonl").open("w") as lines:
            for number in range(12):
                words = [f"{name}{number}x{chance.randrange(9)}" for _ in range(60)]
                text = ". ".join(" ".join(words[start : start + 6]).capitalize() for start in range(0, 60, 6)) + "."
                title = f"{name}{number}x title"
                lines.write(json.dumps({"_id": f"n{number}", "title": title, "text": text}) + "\n")
    return {name: folder / f"{name}.jsonl" for name in ("docs", "more")}


def run(stages: str, world: Path, files: dict[str, Path], folder: Path) -> dict[str, Any]:
    text = HEAD.format(base=world / "base", **files) + stages
    return run_recipe(load_recipe(parse_document(text)), folder)


def owner(text: str) -> str:
    return text.strip().split("x")[0].lower()


def own_negatives(folder: Path) -> tuple[int, int]:
    """How many negatives are of the row's own document, and how many there are."""
    rows = list(Source.load(folder / "mined" / "source").rows())
    found = [owner(text) == owner(row.query) for row in rows for text in row.negatives]
    return sum(found), len(found)


FORMS = "forms: [inverse-cloze, neighbours], dev: 0, test: 0, shortest_document: 20"


@pytest.mark.parametrize(
    "stages",
    [
        f"  pairs: {{kind: weak-pairs, texts: docs, {FORMS}}}\n"
        "  mined: {kind: mine, source: pairs.train, corpus: docs, negatives: 30, ratio: null}\n",
        f"  pairs: {{kind: weak-pairs, texts: [docs, more], {FORMS}}}\n"
        "  chunks: {kind: chunks, texts: more, tokens: 24, overlap: 0}\n"
        "  mined: {kind: mine, source: pairs.train, corpus: [docs, chunks], negatives: 200, ratio: null}\n",
        "  chunks: {kind: chunks, texts: [docs, more], tokens: 24, overlap: 0}\n"
        f"  pairs: {{kind: weak-pairs, texts: more, {FORMS}}}\n"
        "  mined: {kind: mine, source: pairs.train, corpus: [chunks, more], negatives: 200, ratio: null}\n",
        "  clean: {kind: clean, texts: docs}\n"
        f"  pairs: {{kind: weak-pairs, texts: [clean, more], {FORMS}}}\n"
        "  mined: {kind: mine, source: pairs.train, corpus: [docs, more], negatives: 30, ratio: null}\n",
    ],
    ids=["one input", "several inputs, parts of one", "chunks of several, rows of one", "cleaned"],
)
def test_nothing_of_a_rows_document_is_its_negative(
    stages: str, small_world: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    run(stages, small_world, files, tmp_path)
    own, negatives = own_negatives(tmp_path)
    assert negatives > 100
    assert own == 0


def test_a_document_of_another_input_with_the_same_id_may_be_a_negative(
    small_world: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    run(
        f"  pairs: {{kind: weak-pairs, texts: [docs, more], {FORMS}}}\n"
        "  mined: {kind: mine, source: pairs.train, corpus: [docs, more], negatives: 300, ratio: null}\n",
        small_world, files, tmp_path,
    )  # fmt: skip
    rows = list(Source.load(tmp_path / "mined" / "source").rows())
    # The whole documents begin with a title.
    whole = [{owner(text) for text in row.negatives if "x title" in text} for row in rows]
    assert all(len(found) == 23 for found in whole)


def test_in_a_round_trip_a_row_does_not_compete_with_its_own_document(
    small_world: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    stages = (
        "  pairs: {kind: weak-pairs, texts: docs, forms: title, dev: 0, test: 0}\n"
        "  found: {kind: round-trip, source: pairs.train, k: 6, corpus: docs}\n"
    )
    found = run(stages, small_world, files, tmp_path)["found"]
    source, encoder = Source.load(tmp_path / "pairs" / "train"), Encoder.load(small_world / "base", precision="float32")
    read = read_texts(files["docs"])
    expected = round_trip(encoder, source, dict(zip(read.ids, read.texts, strict=True)), k=6)
    nameless = round_trip(encoder, source, read.texts, k=6)
    assert found["searched"] == 24, "bodies, and titles with them"
    assert (found["kept"], found["found_first"]) == (len(expected.source), int((expected.ranks == 1).sum()))
    assert len(expected.source) > len(nameless.source)
    assert not [each for each in expected.missed if owner(each.found) == owner(each.query)]


def test_rows_and_chunks_of_several_inputs_call_their_documents_the_same(
    small_world: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    run(
        "  chunks: {kind: chunks, texts: [docs, more], tokens: 24, overlap: 0}\n"
        f"  pairs: {{kind: weak-pairs, texts: [docs, more], {FORMS}}}\n",
        small_world, files, tmp_path,
    )  # fmt: skip
    chunks = [json.loads(line) for line in (tmp_path / "chunks" / "texts" / "texts.jsonl").open()]
    groups = Source.load(tmp_path / "pairs" / "train").document_groups
    assert groups is not None
    assert {each["document"] for each in chunks} == set(groups)
