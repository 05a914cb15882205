"""Paragraph → the next one: neighbouring pieces of a text as in cpt-text (arXiv:2201.10005).

Contriever (arXiv:2112.09118) draws its two pieces at random from one text, where they may overlap;
neighbours share no sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cosmith.data.documents import Document
from cosmith.data.weak_supervision.inverse_cloze import generator_of
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.passages import bodies, passages
from cosmith.data.weak_supervision.settings import require_count


@dataclass(frozen=True)
class Neighbours:
    """A paragraph finds the next one of its section.

    Attributes:
        per_document: The most pairs of a document, drawn from it.
        shortest: Characters of a paragraph; a shorter one is taken together with the next.
        longest: Characters of a paragraph; a longer one, e.g. a text without any, is parted between sentences.
        seed: Chooses the pairs, together with the document's id.

    Raises:
        InputError: When a value is not possible.
    """

    per_document: int = 4
    shortest: int = 80
    longest: int = 600
    seed: int = 0

    def __post_init__(self) -> None:
        require_count("per_document", self.per_document)
        require_count("shortest", self.shortest)
        require_count("longest", self.longest, least=self.shortest)


def neighbour_pairs(document: Document, form: Neighbours) -> Iterator[Pair]:
    """Some paragraphs of a document with those that follow them."""
    text = document.text
    pairs = []
    for body in bodies(document):
        found = passages(text, *body, shortest=form.shortest, longest=form.longest)
        pairs += [pair for pair in pairwise(found) if _long(pair[0], form) and _long(pair[1], form)]
    drawn = generator_of(document, form.seed).permutation(len(pairs))[: form.per_document]
    for number in np.sort(drawn).tolist():
        (start, stop), (begin, end) = pairs[number]
        yield Pair("neighbours", text[start:stop], text[begin:end], document.id, document.id, start, stop)


def _long(span: tuple[int, int], form: Neighbours) -> bool:
    return span[1] - span[0] >= form.shortest
