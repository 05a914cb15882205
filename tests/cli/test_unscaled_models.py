"""A model that is compared by dot product: searched so, and told where its vectors are made unit length."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from cosmith.cli.app import app, flags_first
from cosmith.models import tiny_encoder

TEXTS = ["a b c", "the fox runs over the hill", "another text"]


def _run(*arguments: object) -> str:
    told = CliRunner().invoke(app, flags_first(["--json", *map(str, arguments)]))
    assert told.exit_code == 0, told.output
    return told.output


def test_a_model_that_is_compared_by_dot_product_is_searched_by_it(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, head=(), similarity="dot")
    encoder.save(tmp_path / "model")
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    assert "length one" not in _run("index", tmp_path / "model", tmp_path / "texts.txt", "-o", tmp_path / "index",
                                    "--precision", "float32")  # fmt: skip
    found = _run("search", tmp_path / "index", "the fox", "-k", 3)
    hits = next(json.loads(line) for line in found.splitlines() if '"hits"' in line)["hits"]
    vectors = encoder.encode([*TEXTS, "the fox"], normalize=False)
    expected = vectors[:3] @ vectors[3]
    np.testing.assert_allclose([hit["score"] for hit in hits], sorted(expected, reverse=True), rtol=1e-4)
    written = _run("encode", tmp_path / "model", tmp_path / "texts.txt", "-o", tmp_path / "vectors.npy")
    assert json.loads(written)["compared_by"] == "dot"
    np.testing.assert_allclose(np.linalg.norm(np.load(tmp_path / "vectors.npy"), axis=1), 1, atol=1e-5)
