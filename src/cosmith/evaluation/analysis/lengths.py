"""How long texts are, and what it costs that a model reads only the beginning of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.data import Cut
from cosmith.evaluation.analysis.groups import Group
from cosmith.models.lengths import UNLIMITED

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.models import ReadingEncoder

Ints = npt.NDArray[np.int64]

_AT_ONCE = 50_000


@dataclass(frozen=True)
class TextLengths:
    """How long the texts of a collection are.

    Attributes:
        documents: int64 ``[documents]``, in the collection's order.
        queries: int64 ``[queries]``, in the order of the queries asked.
        unit: What is counted: ``"tokens"``, with prompt and special ones, or ``"words"``.
        limit: How many of them the model reads; None where no model was asked, or it reads texts of any length.
    """

    documents: Ints
    queries: Ints
    unit: str
    limit: int | None


@dataclass(frozen=True)
class Truncation:
    """What a model does not read, and how the queries fare whose answers it reads in part.

    Attributes:
        limit: The most tokens of a text that are read.
        documents: How many documents there are.
        documents_cut: How many of them are longer.
        queries_cut: How many queries are longer.
        tokens_lost: The share of the documents' tokens that is not read.
        answer_cut: The queries of whose relevant documents at least one is cut; None where there are none.
        answer_whole: The others; None where there are none.
    """

    limit: int
    documents: int
    documents_cut: int
    queries_cut: int
    tokens_lost: float
    answer_cut: Group | None
    answer_whole: Group | None

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> Truncation:
        """The inverse of :func:`dataclasses.asdict`."""
        given = {name: about[name] for name in ("answer_cut", "answer_whole")}
        groups = {name: None if group is None else Group.from_dict(group) for name, group in given.items()}
        return cls(**{**about, **groups})

    def cuts(self) -> tuple[Cut, ...]:
        """The same as counts of documents and queries."""
        of_queries = sum(group.count for group in (self.answer_cut, self.answer_whole) if group is not None)
        return (
            Cut("documents", self.documents_cut, self.documents, self.limit),
            Cut("queries", self.queries_cut, of_queries, self.limit),
        )


def text_lengths(
    collection: Collection, query_ids: Sequence[str], encoder: ReadingEncoder | None = None
) -> TextLengths:
    """Count the tokens of a collection's texts as a model reads them, or, without one, their words."""
    documents, queries = list(collection.documents.values()), [collection.queries[query] for query in query_ids]
    if encoder is None:
        return TextLengths(_words(documents), _words(queries), "words", None)
    told = collection.instruction

    def tokens(texts: list[str], prompt: str) -> Ints:
        parts = [
            encoder.tokenize(texts[start : start + _AT_ONCE], prompt=prompt, instruction=told).full_lengths
            for start in range(0, len(texts), _AT_ONCE)
        ]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    limit = None if encoder.max_length >= UNLIMITED else encoder.max_length
    return TextLengths(tokens(documents, "document"), tokens(queries, "query"), "tokens", limit)


def truncation_loss(
    lengths: TextLengths,
    answers: Sequence[Sequence[int]],
    values: npt.NDArray[np.float64],
    *,
    resamples: int = 2_000,
    seed: int = 0,
) -> Truncation | None:
    """What is cut, and what is scored where it is; None where no limit is known.

    The queries of cut answers may be harder for other reasons, too: that they score less does not say that reading
    more would help.

    Args:
        lengths: Of the texts.
        answers: For each query the positions of its relevant documents.
        values: The metric of each query, float64 ``[queries]``.
        resamples: For the intervals.
        seed: For the intervals.
    """
    limit = lengths.limit
    if limit is None:
        return None
    long = lengths.documents > limit
    cut = np.array([bool(long[list(positions)].any()) for positions in answers], dtype=bool)

    def group(label: str, here: npt.NDArray[np.bool_]) -> Group | None:
        return Group.of(label, values[here], resamples=resamples, seed=seed) if here.any() else None

    return Truncation(
        limit=limit,
        documents=len(long),
        documents_cut=int(long.sum()),
        queries_cut=int((lengths.queries > limit).sum()),
        tokens_lost=float(np.maximum(lengths.documents - limit, 0).sum() / max(int(lengths.documents.sum()), 1)),
        answer_cut=group("an answer is cut", cut),
        answer_whole=group("all answers are read whole", ~cut),
    )


def _words(texts: Sequence[str]) -> Ints:
    return np.array([len(text.split()) for text in texts], dtype=np.int64)
