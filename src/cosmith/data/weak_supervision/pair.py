"""What a form makes of documents: a pair of texts, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from cosmith.data.rows import TrainingRow


@dataclass(frozen=True)
class Pair:
    """A candidate for a training pair.

    Attributes:
        form: The name of the form that made it, e.g. ``first-sentence``.
        query: The text that is to find the other one.
        positive: The text that is to be found.
        document: The id of the document that the positive is a part of.
        origin: The id of the document in which the query stands: the same, but for the text of a link.
        start, stop: Where the query stands, as characters of the origin's text; both 0 where it does not stand there,
            as a title.
        problem: Why the form itself takes it for no pair; empty where it does not.
    """

    form: str
    query: str
    positive: str
    document: str
    origin: str
    start: int = 0
    stop: int = 0
    problem: str = ""

    def row(self) -> TrainingRow:
        """The pair as a training row; what is made of one document stays together, and is no non-answer of its own."""
        return TrainingRow(self.query, (self.positive,), group=self.document, document_group=self.document)


def folded(text: str) -> str:
    """Equal for texts that differ in case and spacing only."""
    return " ".join(text.casefold().split())
