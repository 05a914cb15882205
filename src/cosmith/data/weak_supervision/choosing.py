"""Which of many candidates become training pairs, decided on hashes of their texts."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.texts import text_problem
from cosmith.data.weak_supervision.pair import Pair, folded
from cosmith.data.weak_supervision.settings import require_count

UInt8 = npt.NDArray[np.uint8]
UInt64 = npt.NDArray[np.uint64]

KEPT, SHORT, UNUSABLE, SAME, SHARED, AGAIN, OVER = range(7)
REASONS = (
    "", "too little on the other side", "a text that cannot be used", "both sides are the same",
    "too many documents share the query", "the same pair again", "more than a document may give",
)  # fmt: skip
"""Why a candidate is left out, by its number."""


@dataclass(frozen=True)
class PairLimits:
    """What holds for the pairs of all forms.

    Attributes:
        shortest_document: Characters of what is to be found; a pair with less is none.
        most_shared: A query that more documents than these share says little of any of them, and gives no pair.
        most_per_document: The most pairs whose positive is of one document, those of forms named earlier first.

    Raises:
        InputError: When a value is not possible.
    """

    shortest_document: int = 40
    most_shared: int = 3
    most_per_document: int = 16

    def __post_init__(self) -> None:
        for name in ("shortest_document", "most_shared", "most_per_document"):
            require_count(name, getattr(self, name))


def problem_of(pair: Pair, shortest_document: int) -> int:
    """What is wrong with a pair by itself."""
    if len(pair.positive) < shortest_document:
        return SHORT
    if text_problem(pair.query) or text_problem(pair.positive):
        return UNUSABLE
    return SAME if folded(pair.query) == folded(pair.positive) else KEPT


@dataclass
class Candidates:
    """All candidates as numbers, 34 bytes each.

    Attributes:
        form: Place of each one's form in the list that was asked for.
        problem: What :func:`problem_of` says.
        query: Hash of its query, folded.
        text: Hash of both texts.
        place: Hash of where its query stands and of its positive; that of both texts where it stands nowhere.
        document: Hash of the positive's document.
    """

    form: array[int] = field(default_factory=lambda: array("B"))
    problem: array[int] = field(default_factory=lambda: array("B"))
    query: array[int] = field(default_factory=lambda: array("Q"))
    text: array[int] = field(default_factory=lambda: array("Q"))
    place: array[int] = field(default_factory=lambda: array("Q"))
    document: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, pair: Pair, form: int, problem: int) -> None:
        """Take one more."""
        query = folded(pair.query)
        text = _hash(f"{query}\0{pair.positive}")
        stands = pair.stop > pair.start
        self.form.append(form)
        self.problem.append(problem)
        self.query.append(_hash(query))
        self.text.append(text)
        self.place.append(_hash(f"{pair.origin}\0{pair.start}\0{pair.stop}\0{pair.positive}") if stands else text)
        self.document.append(_hash(pair.document))


def chosen(candidates: Candidates, finds_queries: Sequence[bool], limits: PairLimits) -> UInt8:
    """What becomes of each candidate: :data:`KEPT`, or the number of the reason why not.

    Of the same pair, that of the form that was named first stays, of one form the first. Where a document has too
    many, those of the forms that were named earlier stay, of one form those that a hash of their texts puts first:
    evenly over the document.

    Args:
        candidates: N candidates in the order in which they were found.
        finds_queries: For each form, whether its pairs may share queries.
        limits: How many of what.

    Returns:
        uint8 [N].
    """
    outcome: UInt8 = np.array(candidates.problem, dtype=np.uint8)
    form = np.array(candidates.form, dtype=np.uint8)
    query, document = _hashes(candidates.query), _hashes(candidates.document)
    may_share = np.array(finds_queries, dtype=bool)[form]
    outcome[(outcome == KEPT) & ~may_share & (_sharing(query, document, ~may_share) > limits.most_shared)] = SHARED
    for key in (_hashes(candidates.text), _hashes(candidates.place)):
        alive = np.flatnonzero(outcome == KEPT)
        alive = alive[np.argsort(form[alive], kind="stable")]
        first = np.zeros(len(alive), dtype=bool)
        first[np.unique(key[alive], return_index=True)[1]] = True
        outcome[alive[~first]] = AGAIN
    alive = np.flatnonzero(outcome == KEPT)
    order = alive[np.lexsort((_hashes(candidates.text)[alive], form[alive], document[alive]))]
    outcome[order[_place_in_run(document[order]) >= limits.most_per_document]] = OVER
    return outcome


def _sharing(query: UInt64, document: UInt64, counted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """In how many documents each candidate's query occurs, those that are not ``counted`` left out."""
    both = query[counted] * np.uint64(0x9E3779B97F4A7C15)  # wraps around
    both ^= document[counted]  # one number for the two
    once = np.unique(both, return_index=True)[1]
    del both
    names, sizes = np.unique(query[counted][once], return_counts=True)
    del once
    if not len(names):
        return np.zeros(len(query), dtype=np.int64)
    place = np.minimum(np.searchsorted(names, query), len(names) - 1)
    return np.where(names[place] == query, sizes[place], 0)


def _place_in_run(values: UInt64) -> npt.NDArray[np.int64]:
    """The place of each element in its run of equal ones, from 0."""
    place = np.arange(len(values))
    begins = np.ones(len(values), dtype=bool)
    begins[1:] = values[1:] != values[:-1]
    return place - np.maximum.accumulate(np.where(begins, place, 0))


def _hashes(values: array[int]) -> UInt64:
    """The same numbers in the same memory."""
    return np.frombuffer(values, dtype=np.uint64) if len(values) else np.zeros(0, dtype=np.uint64)


def _hash(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))
