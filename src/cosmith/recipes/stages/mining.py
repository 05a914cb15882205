"""The stage that mines hard negatives."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from cosmith.mining import labels_settle, write_review
from cosmith.phrases import counted
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.mined_rows import mined, review_of, widened, with_ratio
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.stages.training import finite_or_none, score_histograms

_EXAMPLES = 5
_MANY_BARE = 0.1  # of the rows; fewer without a negative are nothing to act upon
_REVIEW = "review.jsonl"


def mine(stage: MineStage, context: StageContext) -> dict[str, Any]:
    """Give the rows hard negatives, going on where an interrupted run left off."""
    review = review_of(stage, context)
    models = [context.artefacts.encoder(name) for name in stage.model]
    source = context.artefacts.source(stage.source)
    found = mined(stage, context, models, source, review, context.run / ".vectors")
    bare = int((np.diff(found.source.negative_offsets) == 0).sum())
    found.source.save(context.artefacts.folder(context.name))
    file = context.folder / _REVIEW
    to_judge = write_review(file, found.possible_positives, review) if found.rejected or review.judged else 0
    shown = [found.source.row(number) for number in range(0, found.rows, max(1, found.rows // _EXAMPLES))]
    told = [found.describe()]
    if labels_settle(source) and stage.ratio == "auto":
        told.append("every row has a label, which says what is no answer: no limit by `ratio`")
    if to_judge:
        told.append(f"the likeliest of what was left out can be judged in {file}; then give it back as `review`")
    if bare > _MANY_BARE * found.rows:
        told.append(_few_mined(with_ratio(stage, source), bare, found.rows))
    return {
        "rows": found.rows,
        "documents": found.documents,
        "negatives": found.negatives,
        "rejected_likely_positives": found.rejected,
        "estimated_positives": found.estimated_positives,
        "to_judge": to_judge,
        "review_file": str(file) if to_judge else None,
        "reviewed": len(review.judged),
        "short_rows": found.short_rows,
        "bare_rows": bare,
        "kept": found.kept,
        "replaced": found.replaced,
        "mean_positive_score": finite_or_none(found.positive_score),
        "mean_negative_score": finite_or_none(found.negative_score),
        "histograms": score_histograms({"answers": found.positive_scores, "negatives": found.negative_scores}),
        "examples": [
            {"query": row.query, "positive": row.positives[0], "negatives": list(row.negatives)}
            for row in shown[:_EXAMPLES]
        ],
        "likely_positives": [asdict(each) for each in found.likely_positives],
        "told": told,
    }


def _few_mined(stage: MineStage, bare: int, rows: int) -> str:
    return (
        f"warning: {bare:,} of {counted(rows, 'row')} have no negative: every candidate of theirs was left out."
        f" {widened(stage)} if that is not wanted."
    )
