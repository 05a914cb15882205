"""Docstring → code (CodeSearchNet, arXiv:1909.09436): the first sentence of a function's docstring finds its source.

What serves as a query, and which functions are of no use, is as in :mod:`cosmith.data.python_functions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cosmith.data.documents import Document
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.settings import require_count


@dataclass(frozen=True)
class Docstring:
    """The first sentence of a Python function's docstring finds the function without its docstrings.

    Attributes:
        least_words, most_words: Of a query; fewer ask nothing, more are a paragraph.
        least_tokens: Names, numbers and signs of a function's body.
        most_characters: A longer function is a table, or generated.

    Raises:
        InputError: When a value is not possible.
    """

    least_words: int = 4
    most_words: int = 60
    least_tokens: int = 20
    most_characters: int = 20_000

    def __post_init__(self) -> None:
        require_count("least_words", self.least_words)
        require_count("most_words", self.most_words, least=self.least_words)
        require_count("least_tokens", self.least_tokens, least=0)
        require_count("most_characters", self.most_characters)


def docstring_pairs(document: Document, form: Docstring) -> Iterator[Pair]:
    """The documented functions of a document that is Python."""
    if document.format != "python":
        return
    from cosmith.data.python_functions import Limits, query_of
    from cosmith.data.python_source import functions_in

    limits = Limits(form.least_words, form.most_words, form.least_tokens, form.most_characters)
    for function in functions_in(document.text) or ():
        query, problem = query_of(function, limits)
        start = document.text.find(function.docstring.split("\n", 1)[0]) if query else -1
        stop = start + len(function.docstring.split("\n", 1)[0]) if start >= 0 else 0
        yield Pair(
            "docstring", query or function.qualname, function.document, document.id, document.id, max(start, 0), stop,
            problem,
        )  # fmt: skip
