"""Pairs from documents that nobody has asked anything about: the head of a text says what the rest is about.

A title and its body, or the first sentence and the rest, are the weak pairs that embedding models are pre-trained on by
the hundred million (E5, arXiv:2212.03533, Section 3.1; GTE, arXiv:2308.03281, Section 3.2). They are no questions of
real users: what they teach is which head goes with which body.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cosmith.data.rows import TrainingRow
from cosmith.errors import InputError

# A mark behind two letters or more (no initial, no "e.g.") and before something that can begin a sentence; the marks of
# Chinese and Japanese; the end of a paragraph.
_END = re.compile(r"\w\w[.!?][\"')\]»”’]*\s+(?![a-z])|[。！？]\s*|\n\s*\n\s*")


@dataclass(frozen=True)
class WeakPairs:
    """What :func:`weak_pairs` made of some documents.

    Attributes:
        rows: A row for each document that has a pair, in their order.
        numbers: The number of each row's document.
        from_titles: How many of them have a title for their query; the others a first sentence.
    """

    rows: list[TrainingRow]
    numbers: list[int]
    from_titles: int


def weak_pairs(
    titles: Sequence[str],
    bodies: Sequence[str],
    *,
    shortest_query: int = 12,
    shortest_document: int = 40,
    most_shared: int = 3,
) -> WeakPairs:
    """Pair the title of each document with its body or, where there is no title, its first sentence with the rest.

    A body that begins with its title loses it, since the same words on both sides would be all that is learnt.

    Args:
        titles: The title of each of N documents, empty where it has none.
        bodies: The rest of each.
        shortest_query: Characters of a first sentence; a shorter one is taken together with the next.
        shortest_document: Characters of what stands against it; a document that has less gives no pair.
        most_shared: A head that more documents than these share says little of any of them, and gives no pair.

    Raises:
        InputError: When no document gives a pair.
    """
    parted = [_parted(title.strip(), body.strip(), shortest_query) for title, body in zip(titles, bodies, strict=True)]
    shared = Counter(head for head, _ in parted)
    numbers = [
        number
        for number, (head, rest) in enumerate(parted)
        if head and len(rest) >= shortest_document and shared[head] <= most_shared
    ]
    if not numbers:
        raise InputError(
            "none of the documents has a title, or a first sentence and enough behind it, to make a pair of",
            field="texts",
            remedy="Give longer documents, or learn from the texts themselves (self-pairs, with the loss simcse).",
        )
    rows = [TrainingRow(parted[number][0], (parted[number][1],)) for number in numbers]
    return WeakPairs(rows, numbers, sum(bool(titles[number].strip()) for number in numbers))


def _parted(title: str, body: str, shortest: int) -> tuple[str, str]:
    """A head and the rest; both empty where there is no head."""
    if title:
        return title, body[len(title) :].lstrip(" .:-–—\n\t") if body.casefold().startswith(title.casefold()) else body
    for end in _END.finditer(body):
        head = body[: end.end()].strip()
        if len(head) >= shortest:
            return head, body[end.end() :]
    return "", ""
