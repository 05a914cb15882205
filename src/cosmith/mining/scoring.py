"""What a model thinks of the candidates of a source's rows: a score for each positive and each negative.

Scores are what distillation follows (:func:`cosmith.losses.score_kl`, :func:`cosmith.losses.margin_mse`) and what the
best rows are chosen by (:func:`cosmith.mining.keep_best_rows`). An encoder scores by cosine, a cross-encoder by its
logit: behind a sigmoid, all that it is sure of would score alike, and differences are what a student learns from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.mining.likely_positives import LikelyPositive
from cosmith.progress import track

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.models import CrossEncoder, TextEncoder

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

# Pairs in hand at a time: enough to find many of similar length, few enough for their texts to fit into any memory.
_BLOCK = 4096
_EXAMPLES = 20


def cosine_scores(encoder: TextEncoder, source: Source, *, dim: int | None = None) -> Float32:
    """The cosine of each row's query with each of its positives, then with each of its negatives.

    Args:
        encoder: Reads every text with the prompt and the instruction that it has in training, each distinct text once.
        source: The rows.
        dim: Compare only this many numbers of each vector.

    Returns:
        float32 ``[P + N]``, in the order of :attr:`cosmith.data.Source.scores`.
    """
    said, texts = source.settings, source.texts
    asked, documents = _candidates(source)
    queries, query_of = np.unique(asked, return_inverse=True)
    answers, answer_of = np.unique(documents, return_inverse=True)
    query_vectors = encoder.encode(
        texts.take(queries), prompt=said.query_prompt, instruction=said.instruction, dim=dim,
        show_progress="Encoding queries",
    )  # fmt: skip
    document_vectors = encoder.encode(
        texts.take(answers), prompt=said.document_prompt, instruction=said.instruction, dim=dim,
        show_progress="Encoding documents",
    )  # fmt: skip
    scores = np.empty(len(asked), dtype=np.float32)
    for start in range(0, len(asked), _BLOCK):
        part = slice(start, start + _BLOCK)
        scores[part] = np.einsum("ij,ij->i", query_vectors[query_of[part]], document_vectors[answer_of[part]])
    return scores


def cross_encoder_scores(model: CrossEncoder, source: Source) -> Float32:
    """The logit of each row's query with each of its positives, then with each of its negatives.

    Args:
        model: Reads query and document together, with the source's instruction if it takes one; each distinct pair
            once.
        source: The rows.

    Returns:
        float32 ``[P + N]``, in the order of :attr:`cosmith.data.Source.scores`.
    """
    count = len(source.texts)
    asked, documents = _candidates(source)
    pairs, pair_of = np.unique(asked * count + documents, return_inverse=True)
    queries, answers = np.divmod(pairs, max(count, 1))
    scores = np.empty(len(pairs), dtype=np.float32)
    with track("Scoring pairs", len(pairs), "pairs") as bar:
        for start in range(0, len(pairs), _BLOCK):
            part = slice(start, start + _BLOCK)
            scores[part] = model.score(
                source.texts.take(queries[part]),
                source.texts.take(answers[part]),
                instruction=source.settings.instruction,
                activated=False,
            )
            bar.advance(len(scores[part]))
    found: Float32 = scores[pair_of]
    return found


def _candidates(source: Source) -> tuple[Int64, Int64]:
    """Text numbers of the query and of the document that each score is for: int64 ``[P + N]`` each."""
    arrays = source.arrays
    documents = np.empty(len(source.positives) + len(source.negatives), dtype=np.int64)
    documents[arrays.places_of_positives] = source.positives
    documents[arrays.places_of_negatives] = source.negatives
    return np.repeat(source.query, np.diff(arrays.score_offsets)), documents


@dataclass(frozen=True)
class OutscoredPositives:
    """Rows in which a model likes a negative better than a positive: the row is wrong, or the model is.

    Attributes:
        rows: How many there are.
        examples: Those in which it likes the negative better by most, one a query, for a person to read.
    """

    rows: int
    examples: tuple[LikelyPositive, ...]


def outscored_positives(source: Source) -> OutscoredPositives:
    """The rows whose highest negative scores above their lowest positive.

    Args:
        source: Rows with scores.

    Raises:
        InputError: When they have none.
    """
    if source.scores is None:
        raise InputError(f"the rows of {source.name!r} have no scores", field="scores",
                         remedy="Give them some with Source.with_scores.")  # fmt: skip
    of_positives = source.scores[source.arrays.places_of_positives]
    of_negatives = source.scores[source.arrays.places_of_negatives]
    row_of_positive = np.repeat(np.arange(len(source)), np.diff(source.positive_offsets))
    row_of_negative = np.repeat(np.arange(len(source)), np.diff(source.negative_offsets))
    lowest = np.full(len(source), np.inf, dtype=np.float32)
    np.minimum.at(lowest, row_of_positive, of_positives)
    excess = of_negatives - lowest[row_of_negative]
    above = np.flatnonzero(excess > 0)
    above = above[np.argsort(-excess[above], kind="stable")]
    _, first = np.unique(source.query[row_of_negative[above]], return_index=True)
    shown = above[np.sort(first)][:_EXAMPLES]
    return OutscoredPositives(
        rows=len(np.unique(row_of_negative[above])),
        examples=tuple(
            LikelyPositive(
                query=source.texts[int(source.query[row_of_negative[place]])],
                document=source.texts[int(source.negatives[place])],
                score=float(of_negatives[place]),
                positive_score=float(lowest[row_of_negative[place]]),
            )
            for place in shown
        ),
    )
