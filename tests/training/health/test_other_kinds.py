"""What is watched, and said, where a run trains a sparse, a late-interaction or a reranking model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.losses.ranking import RowCandidates
from cosmith.models import LateInteractionEncoder, QueryExpansion, SparseEncoder, tiny_cross_encoder, tiny_encoder
from cosmith.training import TrainingSettings, train_late_interaction, train_reranker, train_sparse
from cosmith.training.health import Advice, advise, read_history
from cosmith.training.reranking import _look

SETTINGS = TrainingSettings(steps=6, batch_size=8, learning_rate=1e-4, warmup=0.0, precision="float32", watch_every=2)
WORDS = ("red", "sky", "cow", "tin", "oak", "fig", "gem", "ivy")


def sparse(folder: Path, rows: list[TrainingRow], base: Any = None, **changes: Any) -> None:
    start = SparseEncoder.from_encoder(base or tiny_encoder("bert"))
    train_sparse(start, [Source.from_rows("asked", rows)], replace(SETTINGS, **changes), folder=folder)


def late(folder: Path, rows: list[TrainingRow], base: Any = None, **changes: Any) -> None:
    start = LateInteractionEncoder.from_encoder(base or tiny_encoder("bert"), dimension=16, expansion=QueryExpansion(8))
    train_late_interaction(start, [Source.from_rows("asked", rows)], replace(SETTINGS, **changes), folder=folder)


def reranker(folder: Path, rows: list[TrainingRow], **changes: Any) -> None:
    train_reranker(
        tiny_cross_encoder("bert"), [Source.from_rows("asked", rows)], replace(SETTINGS, **changes), folder=folder
    )


def said(folder: Path, train: Callable[..., None], rows: list[TrainingRow], **changes: Any) -> dict[str, Advice]:
    train(folder, rows, **changes)
    return {each.rule: each for each in advise(read_history(folder))}


ROWS = [TrainingRow(f"{WORDS[n % 8]} {n}", (f"{WORDS[n % 8]} {n} is",), (f"{WORDS[(n + 3) % 8]}",)) for n in range(48)]
NEAR = [
    TrainingRow(f"{WORDS[n % 8]} {n}", ("off",), (f"{WORDS[n % 8]} {n} ? {n} of {n * 7} it is",)) for n in range(48)
]


@pytest.mark.parametrize("train", [sparse, late, reranker])
def test_negatives_that_are_answers(tmp_path: Path, train: Callable[..., None]) -> None:
    # a random scorer of pairs knows no near text from a far one, but every second of these contradicts the one before
    opposed = [TrainingRow(f"ask {n // 2}", (f"yes {n}",), (f"yes {n ^ 1}",)) for n in range(48)]
    found = said(tmp_path, train, opposed if train is reranker else NEAR)["negatives_above"]
    assert "of the rows' own negatives score above the positive" in found.says
    assert "Mean over the last looks" in found.evidence


@pytest.mark.parametrize("train", [sparse, late])
@pytest.mark.parametrize(("temperature", "rule"), [(1e-4, "too_cold"), (1e4, "too_warm")])
def test_a_temperature_that_is_wrong(tmp_path: Path, train: Callable[..., None], temperature: float, rule: str) -> None:
    found = said(tmp_path, train, ROWS, temperature=temperature)[rule]
    assert f"at a temperature of {temperature:g}" in found.evidence
    assert "1 is usual for such scores" in found.remedy


@pytest.mark.parametrize("train", [sparse, late])
def test_the_same_texts_again_and_again(tmp_path: Path, train: Callable[..., None]) -> None:
    rows = [TrainingRow("ask", (f"yes {n}",)) for n in range(48)]
    assert "of the queries of a step are repeats" in said(tmp_path, train, rows)["repeats"].says


def test_token_vectors_that_lie_together(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    with torch.no_grad():  # a large part that all tokens share
        encoder.module.get_parameter("backbone.encoder.layer.1.output.LayerNorm.bias").fill_(0.0)[0] = 600.0
    assert "lie so near each other" in said(tmp_path, late, ROWS, base=encoder)["collapses"].says


@pytest.mark.parametrize("train", [sparse, late])
def test_a_sound_run_is_not_accused_of_its_scores(tmp_path: Path, train: Callable[..., None]) -> None:
    found = said(tmp_path, train, ROWS, learning_rate=1e-3)
    assert not found.keys() & {"too_cold", "too_warm", "collapses", "repeats", "false_negatives", "negatives_above"}
    looks = read_history(tmp_path).watched
    assert looks
    for entry in looks:
        assert {"embeddings/mean_cosine", "embeddings/effective_rank", "scores/effective_negatives"} <= entry.keys()
        assert not [name for name, value in entry.items() if isinstance(value, list)]  # bars of cosines


def test_how_negatives_stand_to_the_best_positive_of_their_row() -> None:
    candidates = RowCandidates(
        pair=torch.tensor([0, 1, 2, 3, 4, 5]),
        row=torch.tensor([0, 0, 0, 1, 1, 1]),
        positive=torch.tensor([True, True, False, True, False, False]),
        rows=2,
    )
    figures = _look(torch.tensor([1.0, 3.0, 2.0, 0.0, 1.0, -1.0]), candidates)
    assert figures == {"scores/own_above": pytest.approx(1 / 3), "scores/first": 0.5}
