"""Mining: better training rows from those that are there."""

from cosmith.mining.best_rows import BestRows, JudgedRow, keep_best_rows
from cosmith.mining.graded import GradedRows, graded_rows
from cosmith.mining.hard_negatives import MiningResult, PossiblePositives, labels_settle, mine_hard_negatives, ratio_of
from cosmith.mining.likely_positives import LikelyPositive, Review, read_review, with_answers, write_review
from cosmith.mining.round_trip import FoundInstead, RoundTrip, round_trip
from cosmith.mining.scoring import OutscoredPositives, cosine_scores, cross_encoder_scores, outscored_positives

__all__ = [
    "BestRows",
    "FoundInstead",
    "GradedRows",
    "JudgedRow",
    "LikelyPositive",
    "MiningResult",
    "OutscoredPositives",
    "PossiblePositives",
    "Review",
    "RoundTrip",
    "cosine_scores",
    "cross_encoder_scores",
    "graded_rows",
    "keep_best_rows",
    "labels_settle",
    "mine_hard_negatives",
    "outscored_positives",
    "ratio_of",
    "read_review",
    "round_trip",
    "with_answers",
    "write_review",
]
