"""Hard negatives: for each query, the documents that models take for answers and that are none.

Positive-aware after NV-Retriever (Moreira et al. 2024, arXiv:2407.15831): a document that scores nearly as high as a
known answer is probably one nobody has marked, and training on it as a negative teaches the model a mistake. Such
documents are masked inside the search, before the best are selected, so that no query runs short of negatives because
its top ranks were full of likely answers.
"""

from cosmith.mining.hard_negatives.mine import MiningResult, mine_hard_negatives
from cosmith.mining.hard_negatives.possible_positives import PossiblePositives
from cosmith.mining.hard_negatives.settings import Candidates, Limits, Sample, labels_settle, ratio_of
from cosmith.mining.hard_negatives.shortage import bare_rows, require_negatives, shortage
from cosmith.retrieval.vectors import StoredAs

__all__ = [
    "Candidates",
    "Limits",
    "MiningResult",
    "PossiblePositives",
    "Sample",
    "StoredAs",
    "bare_rows",
    "labels_settle",
    "mine_hard_negatives",
    "ratio_of",
    "require_negatives",
    "shortage",
]
