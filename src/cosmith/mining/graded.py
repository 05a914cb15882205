"""Graded pairs as rows of query, positive and negatives, as NV-Embed takes them (arXiv:2405.17428, Section 4.2.2).

What people have called nearly the same is a positive, either text of the other. The negatives are what shares words
with the query and has not been called alike: near enough to be taken for it, and known or likely not to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.retrieval.lexical import Bm25

if TYPE_CHECKING:
    from cosmith.data import StsPairs


@dataclass(frozen=True)
class GradedRows:
    """What became of graded pairs.

    Attributes:
        source: Two rows for each pair that is alike, one in each direction.
        pairs: How many pairs there were.
        alike: How many of them are alike, equal ones counted once.
        found: Negatives that were found by their words.
        drawn: Negatives that were drawn, where too few texts share a word with the query.
    """

    source: Source
    pairs: int
    alike: int
    found: int
    drawn: int


def graded_rows(
    name: str,
    pairs: StsPairs,
    *,
    least: float = 4.0,
    unlike: float = 2.5,
    negatives: int = 7,
    language: str | None = "english",
    seed: int = 0,
    settings: SourceSettings | None = None,
) -> GradedRows:
    """A Source of the pairs that are alike, in both directions, with negatives from the texts of all pairs.

    A query's negatives are those that BM25 ranks highest of all texts but itself and what any pair grades above
    ``unlike`` with it. Where fewer share a word with it, others are drawn.

    Args:
        name: What to call the Source.
        pairs: The pairs; the defaults are for the usual scale from 0 to 5.
        least: Pairs graded this high or higher are alike.
        unlike: What is graded higher with a query is never its negative.
        negatives: Of each row, or as many as there are.
        language: Whose stemmer and stop words BM25 uses, see :data:`cosmith.retrieval.lexical.LANGUAGES`; None:
            words as they are.
        seed: For the draws.
        settings: Those of the Source; None: the task ``sts``, without in-batch negatives, and the pairs' instruction.

    Raises:
        InputError: When a limit makes no sense, no pair of different texts is alike, or the language is unknown.
    """
    if negatives < 1:
        raise InputError(f"must be at least 1, got {negatives}", field="negatives")
    if not unlike < least:
        raise InputError(f"{unlike:g} is not below {least:g}, from which pairs are alike", field="unlike",
                         remedy="Lower it: what is alike is no negative.")  # fmt: skip
    numbers: dict[str, int] = {}
    near: dict[int, set[int]] = {}
    alike: dict[tuple[int, int], None] = {}
    for first, second, score in zip(pairs.first, pairs.second, pairs.scores.tolist(), strict=True):
        a, b = (numbers.setdefault(text, len(numbers)) for text in (first, second))
        if score > unlike:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        if score >= least and a != b:
            alike[min(a, b), max(a, b)] = None
    if not alike:
        raise InputError(
            f"no pair of different texts is graded {least:g} or higher; the highest grade is {pairs.scores.max():g}",
            field="least",
            remedy="Set it to what means nearly the same on your scale, e.g. four fifths of its end.",
        )
    texts = list(numbers)
    queries = sorted({number for pair in alike for number in pair})
    words = _by_words(texts, queries, near, negatives, language)
    generator = np.random.default_rng(seed)
    drawn = {
        query: _drawn(generator, len(texts), {query, *near[query], *words[query]}, negatives - len(words[query]))
        for query in queries
    }
    rows = [
        TrainingRow(
            texts[query], (texts[positive],), tuple(texts[other] for other in (*words[query], *drawn[query]))
        )
        for pair in alike
        for query, positive in (pair, pair[::-1])
    ]  # fmt: skip
    said = settings or SourceSettings(task="sts", instruction=pairs.instruction)
    taken = [query for pair in alike for query in pair]
    return GradedRows(
        source=Source.from_rows(name, rows, said),
        pairs=len(pairs),
        alike=len(alike),
        found=sum(len(words[query]) for query in taken),
        drawn=sum(len(drawn[query]) for query in taken),
    )


def _by_words(
    texts: list[str], queries: list[int], near: dict[int, set[int]], count: int, language: str | None
) -> dict[int, list[int]]:
    """For each query the texts that share the weightiest words with it, but for itself and those near to it."""
    index = Bm25.build([str(number) for number in range(len(texts))], texts, language=language)
    most_left_out = 1 + max(len(near[query]) for query in queries)
    hits = index.search([texts[query] for query in queries], count + most_left_out)
    found = {}
    for query, ids in zip(queries, hits.ids, strict=True):
        ranked = [int(name) for name in ids if name]
        found[query] = [number for number in ranked if number != query and number not in near[query]][:count]
    return found


def _drawn(generator: np.random.Generator, texts: int, taken: set[int], count: int) -> list[int]:
    """``count`` texts that are not taken, or as many as there are."""
    if not count:
        return []
    return [number for number in generator.permutation(texts).tolist() if number not in taken][:count]
