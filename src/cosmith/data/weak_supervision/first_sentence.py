"""First sentence → rest, for documents without a title: what a text begins with says what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cosmith.data.documents import Document
from cosmith.data.sentences import sentence_spans
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.passages import bodies
from cosmith.data.weak_supervision.settings import require_choice, require_count


@dataclass(frozen=True)
class FirstSentence:
    """The first sentence of a document finds the rest of it.

    Attributes:
        of: Of which documents: those without a title, for which it stands in, or all.
        shortest_query: Characters; a shorter first sentence takes the next one along.

    Raises:
        InputError: When a value is not possible.
    """

    of: Literal["untitled", "all"] = "untitled"
    shortest_query: int = 12

    def __post_init__(self) -> None:
        require_choice("of", self.of, ("untitled", "all"))
        require_count("shortest_query", self.shortest_query)


def first_sentence_pairs(document: Document, form: FirstSentence) -> Iterator[Pair]:
    """The first sentence of a document, below its first heading, with all that follows."""
    text, spans = document.text, bodies(document)
    if not spans or (form.of == "untitled" and document.title.strip()):
        return
    start, stop = spans[0][0], len(text.rstrip())
    for (_, end), (following, _) in pairwise(sentence_spans(text, start, stop)):
        head = text[start:end]
        if len(head) >= form.shortest_query:
            yield Pair(
                "first-sentence", head, text[following:stop], document.id, document.id, start, start + len(head)
            )  # fmt: skip
            return
    yield Pair("first-sentence", text[start:stop], "", document.id, document.id, problem="is one sentence in all")
