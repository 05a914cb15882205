"""Inverse cloze (Lee et al. 2019, arXiv:1906.00300, Section 4): a sentence drawn from a passage finds its context.

In the paper a passage is a block of at most 288 word pieces, and the sentence is taken out of it in nine of ten cases;
in the tenth it stays, so that matching words is learnt, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xxhash

from cosmith.data.documents import Document
from cosmith.data.sentences import sentence_spans
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.passages import bodies, passages
from cosmith.data.weak_supervision.settings import require_count, require_number


@dataclass(frozen=True)
class InverseCloze:
    """A sentence drawn from a passage finds the rest of the passage.

    Attributes:
        kept_in: Share of the pairs in which the sentence stays in the passage as well.
        per_document: Pairs of a document, each of another passage.
        passage: Characters of a passage; about what the model reads at once.
        shortest_query, longest_query: Characters of a sentence that may be drawn.
        seed: Chooses passages and sentences, together with the document's id.

    Raises:
        InputError: When a value is not possible.
    """

    kept_in: float = 0.1
    per_document: int = 1
    passage: int = 1200
    shortest_query: int = 12
    longest_query: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        require_number("kept_in", self.kept_in, most=1)
        require_count("per_document", self.per_document)
        require_count("shortest_query", self.shortest_query)
        require_count("longest_query", self.longest_query, least=self.shortest_query)
        require_count("passage", self.passage, least=self.longest_query)


def inverse_cloze_pairs(document: Document, form: InverseCloze) -> Iterator[Pair]:
    """Some sentences of a document with the passages around them."""
    text = document.text
    random = generator_of(document, form.seed)
    blocks = [
        block
        for body in bodies(document)
        for block in passages(text, *body, shortest=form.passage // 2, longest=form.passage)
    ]
    for number in random.permutation(len(blocks))[: form.per_document].tolist():
        start, stop = blocks[number]
        parts = list(sentence_spans(text, start, stop))
        fitting = [part for part in parts if form.shortest_query <= part[1] - part[0] <= form.longest_query]
        if len(parts) < 2 or not fitting:
            problem = "no sentence in it to draw" if len(parts) > 1 else "is one sentence in all"
            yield Pair("inverse-cloze", text[start:stop], "", document.id, document.id, problem=problem)
            continue
        begin, end = fitting[int(random.integers(len(fitting)))]
        if random.random() < form.kept_in:
            positive = text[start:stop]
        else:
            # The spaces behind the sentence go with it; those before it still part what it stood between.
            positive = (text[start:begin] + text[end:stop].lstrip()).strip()
        yield Pair("inverse-cloze", text[begin:end], positive, document.id, document.id, begin, end)


def generator_of(document: Document, seed: int) -> np.random.Generator:
    """Random numbers that depend on the document's id and the seed, not on where in a corpus it stands."""
    return np.random.default_rng(xxhash.xxh3_64_intdigest(document.id.encode("utf-8", "surrogatepass"), seed=seed))
