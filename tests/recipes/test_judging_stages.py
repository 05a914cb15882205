"""Stages that have a model judge rows: scores for distillation, the best rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.mining import cosine_scores, cross_encoder_scores
from cosmith.models import CrossEncoder, Encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
  data: {{kind: source, path: {pairs}, dev: 0, test: 0, instruction: find it}}
  mined: {{kind: mine, source: data.train, negatives: 2, ratio: null}}
  reranker: {{kind: train-reranker, sources: mined, steps: 2, batch_size: 8}}
  scored: {{kind: score, source: mined, model: reranker}}
  cosines: {{kind: score, source: mined, model: base}}
  best: {{kind: filter, source: scored, top: 0.25}}
  near: {{kind: filter, source: data.train, model: base, least: -1, top: 0.5}}
  train: {{kind: train, sources: best, loss: score-kl, steps: 2, batch_size: 8, learning_rate: 1e-3}}
"""


def run(world: Path, folder: Path, **overrides: Any) -> dict[str, Any]:
    text = f"name: t\nbase: {world / 'base'}\nprecision: float32\nstages:\n" + STAGES.format(
        pairs=world / "pairs.jsonl"
    )
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder)


def test_rows_are_scored_chosen_and_learnt_from(small_world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    results = run(small_world, folder)
    mined, scored, cosines, best, near = (
        Source.load(folder / name / "source") for name in ("mined", "scored", "cosines", "best", "near")
    )
    reranker = CrossEncoder.load(folder / "reranker" / "reranker")
    assert scored.scores is not None
    assert cosines.scores is not None
    np.testing.assert_allclose(scored.scores, cross_encoder_scores(reranker, mined), atol=1e-5)
    np.testing.assert_allclose(cosines.scores, cosine_scores(Encoder.load(small_world / "base"), mined), atol=1e-5)
    assert scored.settings == mined.settings
    assert results["scored"]["pairs"] == 3 * len(mined)
    assert (results["scored"]["measure"], results["cosines"]["measure"]) == ("logit", "cosine")
    assert results["cosines"]["outscored_rows"] > 0, "a random model is often wrong"

    of_rows = scored.scores[scored.arrays.places_of_positives]
    highest = np.sort(np.argsort(-of_rows, kind="stable")[: round(len(mined) / 4)])
    assert [row.query for row in best.rows()] == [mined.row(number).query for number in highest]
    assert best.scores is not None
    assert results["best"]["kept"] == len(best) == results["train"]["pairs"]
    assert results["best"]["threshold"] == pytest.approx(float(of_rows[highest].min()))
    assert near.scores is None
    assert len(near) == round(len(mined) / 2)

    assert "scored by reranker, mean logit of answers" in summary("score", results["scored"], folder)[0]
    assert any("a negative scores above an answer" in line for line in summary("score", results["cosines"], folder))
    lines = summary("filter", results["best"], folder)
    assert "kept (25 %), the lowest of them at " in lines[0]
    assert lines[1].startswith("barely kept (")
    page = write_report(folder).read_text(encoding="utf-8")
    assert "Rows judged by a model" in page
    assert "Rows on both sides of the line" in page
    assert "logit with the query" in page


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"best.top": None}, "say which rows to keep"),
        ({"best.top": 2}, r"\[stages\.best\.top\].*at most 1"),
        ({"best.source": "mined"}, r"\[stages\.best\.scores\].*no scores"),
        ({"best.least": 1000}, r"\[stages\.best\.least\].*none of 120 rows scores 1000 or more"),
        ({"scored.model": "bm25"}, "a model or a reranker is needed"),
    ],
)
def test_what_cannot_work_names_the_key(
    overrides: dict[str, Any], said: str, small_world: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(small_world, tmp_path / "run", **overrides)
