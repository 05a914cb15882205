"""The stage that mines hard negatives."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cosmith.mining import labels_settle, write_review
from cosmith.mining.hard_negatives import bare_rows, shortage
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.mined_rows import limits_of, mined, review_of, with_ratio
from cosmith.recipes.mining_schemas import MineStage
from cosmith.recipes.stages.training import finite_or_none, score_histograms

_EXAMPLES = 5
_REVIEW = "review.jsonl"


def mine(stage: MineStage, context: StageContext) -> dict[str, Any]:
    """Give the rows hard negatives, going on where an interrupted run left off."""
    review = review_of(stage, context)
    models = [context.artefacts.encoder(name) for name in stage.model]
    source = context.artefacts.source(stage.source)
    found = mined(stage, context, models, source, review, context.run / ".vectors")
    found.source.save(context.artefacts.folder(context.name))
    file = context.folder / _REVIEW
    to_judge = write_review(file, found.possible_positives, review) if found.rejected or review.judged else 0
    shown = [found.source.row(number) for number in range(0, found.rows, max(1, found.rows // _EXAMPLES))]
    told = [found.describe()]
    if labels_settle(source) and stage.ratio == "auto":
        told.append("every row has a label, which says what is no answer: no limit by `ratio`")
    if to_judge:
        told.append(f"the likeliest of what was left out can be judged in {file}; then give it back as `review`")
    stage = with_ratio(stage, source)
    if (few := shortage(found, limits_of(stage), stage.skip_top)) is not None:
        told.append(few)
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
        "bare_rows": bare_rows(found),
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
