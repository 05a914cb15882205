"""From a folder of documents to chunks that a model reads whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Collection, read_texts
from cosmith.data.chunking import Chunking, chunk_texts
from cosmith.errors import InputError
from cosmith.evaluation import evaluate_retrieval, search_collection_bm25
from cosmith.models import Encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.retrieval import Index

PAGE = (
    "# Handbook\n\nWelcome.\n\n## Leave\n\n" + "Everyone has thirty days. " * 4 + "\n\n## Travel\n\nBook the train.\n"
)
STAGES = """\
  documents: {{kind: documents, path: {path}}}
  chunks: {{kind: chunks, texts: documents, tokens: 60}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    place.mkdir()
    (place / "handbook.md").write_text(PAGE)
    (place / "note.txt").write_text("A short note.")
    (place / "broken.txt").write_bytes("ä".encode("latin-1"))
    (place / "picture.png").write_bytes(b"x")
    return place


def run(world: Path, tmp_path: Path, stages: str, **overrides: Any) -> dict[str, Any]:
    text = f"name: t\nprecision: float32\nbase: {world / 'base'}\nstages:\n{stages}"
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), tmp_path / "run")


def test_documents_then_chunks(small_world: Path, tmp_path: Path, folder: Path) -> None:
    results = run(small_world, tmp_path, STAGES.format(path=folder))
    read = results["documents"]
    assert (read["documents"], read["formats"], read["titles"]) == (2, {"markdown": 1, "text": 1}, 1)
    assert read["passed_over"] == {"of another format": 1}
    assert read["dropped"] == {"is not UTF-8": 1}
    assert json.loads(Path(read["rejected_file"]).read_text())["path"] == str(folder / "broken.txt")
    cut = results["chunks"]
    assert cut["texts"] == 2
    assert cut["tokens"]["most"] <= cut["tokens"]["limit"] == 60
    texts = read_texts(tmp_path / "run" / "chunks" / "texts" / "texts.jsonl")
    assert cut["chunks"] == len(texts.texts)
    assert texts.ids[0] == "handbook.md#0-8"
    assert texts.texts[0] == "Handbook Welcome."
    assert texts.titles[2] == "Handbook > Leave"
    assert texts.texts[-1] == "A short note."
    for name in results:
        assert summary(name, results[name], tmp_path / "run" / name)
    assert "2 documents (1 markdown, 1 text), 3 sections" in summary("documents", read, tmp_path)[0]


def test_chunks_of_pairs_and_several_inputs(small_world: Path, tmp_path: Path, folder: Path) -> None:
    pairs = small_world / "pairs.jsonl"
    stages = (
        STAGES.format(path=folder) + f"  data: {{kind: source, path: {pairs}}}\n"
        "  all: {kind: chunks, texts: [documents, data.test], how: tokens, tokens: 20, overlap: 4}\n"
    )
    results = run(small_world, tmp_path, stages)
    ids = read_texts(tmp_path / "run" / "all" / "texts" / "texts.jsonl").ids
    assert len(set(ids)) == len(ids) == results["all"]["chunks"]
    assert ids[0].startswith("documents/handbook.md#0-")
    assert ids[-1].startswith("data.test/")


def test_patterns_and_formats_are_said_in_the_recipe(small_world: Path, tmp_path: Path, folder: Path) -> None:
    stages = STAGES.format(path=folder)
    results = run(small_world, tmp_path, stages, **{"documents.patterns": "*.txt", "documents.formats": ["text"]})
    assert results["documents"]["formats"] == {"text": 1}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"documents.formats": "markdow"}, r"stages\.documents\.formats.*Did you mean 'markdown'"),
        ({"documents.patterns": "*.zip"}, r"stages\.documents.*holds no document"),
        ({"chunks.overlap": 40}, "over half of tokens"),
        ({"chunks.tokens": 2}, r"stages\.chunks\.tokens.*too few for the character"),
        ({"chunks.texts": "base"}, "texts or training rows or a collection is needed"),
    ],
)
def test_refusals_name_the_key(
    small_world: Path, tmp_path: Path, folder: Path, overrides: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path, STAGES.format(path=folder), **overrides)


def test_documents_are_scored_by_their_best_chunk(small_world: Path, tmp_path: Path) -> None:
    similar = tmp_path / "similar.tsv"
    similar.write_text("sentence1\tsentence2\tscore\n" + "one\tanother\t1\n" * 3)
    stages = (
        f"  data: {{kind: source, path: {small_world / 'pairs.jsonl'}, dev: 0, test: 0.2}}\n"
        f"  similar: {{kind: sts, path: {similar}}}\n"
        "  scores: {kind: evaluate, models: [base, bm25], tasks: data.test, chunk_tokens: 6, chunk_overlap: 2}\n"
        "  index: {kind: index, model: base, documents: data.test, before: base, chunk_tokens: 6}\n"
    )
    results = run(small_world, tmp_path, stages)
    held_out = Collection.read_beir(tmp_path / "run" / "data" / "test")
    encoder = Encoder.load(small_world / "base", precision="float32")
    chunks = list(chunk_texts(held_out.documents, Chunking("sentences", 6, 2), encoder.measure()))
    own = evaluate_retrieval(encoder, held_out, chunks=chunks)
    whole = evaluate_retrieval(encoder, held_out)
    (by_words,) = (tmp_path / "run" / "scores").rglob("*--bm25.hits.npz")
    words = search_collection_bm25(held_out, chunks=list(chunk_texts(held_out.documents, Chunking("sentences", 6, 2))))
    with np.load(by_words, allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["scores"], words.scores)
        assert (kept["scores"] != search_collection_bm25(held_out).scores).any()
    found = results["scores"]["scores"][0]
    assert found["values"] == pytest.approx(dict(own.values), abs=1e-6)
    assert found["values"] != pytest.approx(dict(whole.values), abs=1e-6)
    assert {each["what"] for each in results["scores"]["cut"]} == {"queries"}
    index = results["index"]
    assert index["chunks"] > index["documents"] == len(held_out.documents)
    for search in index["searches"]:
        assert search["before"] == search["after"]
        assert all(len(hit["text"]) < len(held_out.documents[hit["id"]]) for hit in search["after"])
    assert f", cut into {index['chunks']:,} chunks," in summary("index", index, tmp_path)[0]
    assert index["form"] is None
    compressed = run(small_world, tmp_path, stages, **{"index.form": "int8, rescored x4 by float16"})["index"]
    assert compressed["form"] == "int8, rescored x4 by float16"
    assert " as int8, rescored x4 by float16" in summary("index", compressed, tmp_path)[0]
    assert Index.load(tmp_path / "run" / "index" / "index").card.form == compressed["form"]
    for wrong, said in (
        ({"index.form": "int9"}, r"stages\.index\.form.*int8"),
        ({"scores.chunk_tokens": None}, "goes with chunk_tokens"),
        ({"scores.tasks": "similar"}, r"stages\.scores\.chunk_tokens.*never cut"),
        ({"scores.chunk_overlap": 4}, "half"),
    ):
        with pytest.raises(InputError, match=said):
            run(small_world, tmp_path / "wrong", stages, **wrong)
