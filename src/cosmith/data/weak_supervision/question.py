"""Question → answer, in the shapes that pages of frequently asked questions have.

A heading, the first line of a paragraph, or the title is a question when it ends in a question mark; what follows, up
to the next question or heading, is its answer. ``Q:`` and ``A:`` at the begin of lines mark both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from cosmith.data.documents import Document
from cosmith.data.documents.composition import trimmed
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.passages import Span, paragraphs
from cosmith.data.weak_supervision.settings import require_count
from cosmith.data.weak_supervision.title import untitled

_MARKS = ("?", "？", "؟")
_MARKED = re.compile(
    r"^[ \t>*_#-]*(?:(?P<question>Q|Question|Frage|Pregunta|Domanda|问)|(?P<answer>A|Answer|Antwort|Réponse|Respuesta"
    r"|Risposta|答))[ \t]*\d{0,3}[ \t]*[:：][ \t*_]*",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """A question that stands in a document finds the answer that follows it.

    Attributes:
        shortest_query, longest_query: Characters of a question; a longer paragraph that ends in a question mark is
            hardly one.

    Raises:
        InputError: When a value is not possible.
    """

    shortest_query: int = 12
    longest_query: int = 300

    def __post_init__(self) -> None:
        require_count("shortest_query", self.shortest_query)
        require_count("longest_query", self.longest_query, least=self.shortest_query)


def question_pairs(document: Document, form: Question) -> Iterator[Pair]:
    """The questions of a document with their answers."""
    text, title = document.text, document.title.strip()
    if title.endswith(_MARKS):
        body, start, stop = untitled(document)
        yield Pair("question", title, body, document.id, document.id, start, stop, _problem(title, form))
    marked = list(_marked(text))
    asked = sorted(marked or _asked(text, document))
    walls = sorted(section.stop for section in document.sections if section.stop > 0)
    for number, (start, stop, begin) in enumerate(asked):
        question = " ".join(text[start:stop].split())
        end = asked[number + 1][0] if number + 1 < len(asked) else len(text)
        end = min([end, *(wall for wall in walls if wall > begin)])
        if marked:
            end = _before_mark(text, begin, end)
        answer_start, answer_stop = trimmed(text, begin, max(begin, end))
        yield Pair(
            "question", question, text[answer_start:answer_stop], document.id, document.id, start, stop,
            _problem(question, form),
        )  # fmt: skip


def _problem(question: str, form: Question) -> str:
    if len(question) > form.longest_query:
        return "the question is too long"
    return "the question is too short" if len(question) < form.shortest_query else ""


def _marked(text: str) -> Iterator[tuple[int, int, int]]:
    """``Q:`` and ``A:``: where a question begins and ends, and where its answer begins."""
    marks = list(_MARKED.finditer(text))
    for mark, following in pairwise(marks):
        if mark["question"] and following["answer"]:
            start, stop = trimmed(text, mark.end(), following.start())
            if start < stop:
                yield start, stop, following.end()


def _before_mark(text: str, begin: int, end: int) -> int:
    """Where the next mark begins: the next question's stands before it, and so may that of one without an answer."""
    found = _MARKED.search(text, begin, end)
    return found.start() if found else end


def _asked(text: str, document: Document) -> Iterator[tuple[int, int, int]]:
    """Paragraphs that are a question, or begin with a line that is one; as :func:`_marked`."""
    for start, stop in paragraphs(text, 0, len(text)):
        line = _first_line(text, start, stop)
        if text[line[0] : line[1]].endswith(_MARKS):
            yield line[0], line[1], line[1]


def _first_line(text: str, start: int, stop: int) -> Span:
    end = text.find("\n", start, stop)
    return trimmed(text, start, stop if end < 0 else end)
