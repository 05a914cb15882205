"""Wrong answers to read: those that a search was surest of, and those that are likely right but were never judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosmith.errors import InputError
from cosmith.evaluation.changes import Shown
from cosmith.phrases import one_line

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.retrieval import Hits

_NEAR_THE_TOP = 10
"""A query whose first relevant document stands deeper says nothing about what stands above it: the search failed."""


@dataclass(frozen=True)
class WrongAnswer:
    """A query to which the first document is not relevant.

    Attributes:
        query_id: Its id.
        query: Its text.
        wrong: The document that stands first.
        judged: Whether somebody judged it not to be relevant; else nobody has judged it.
        answer: The relevant document that was found first; where none was found, the most relevant.
        rank: The rank of that document; None where it was not found.
        lead: By which share of its score the wrong one is ahead of the answer, or of the last hit where the answer was
            not found, so that it is ahead by that at least.
    """

    query_id: str
    query: str
    wrong: Shown
    judged: bool
    answer: Shown
    rank: int | None
    lead: float

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> WrongAnswer:
        """The inverse of :func:`dataclasses.asdict`."""
        return cls(**{**about, "wrong": Shown(**about["wrong"]), "answer": Shown(**about["answer"])})


@dataclass(frozen=True)
class Unlabelled:
    """A document that nobody has judged and that stands above a relevant one.

    Attributes:
        query_id: The query's id.
        query: Its text.
        document: The document.
        answer: The relevant document below it.
        models: Which of the models put it there.
        rank: The best rank that one of them gave it.
        lead: The mean of the shares of its score by which it is ahead of the answer.
        same_text: Whether it has the text of a relevant document, but for case and white space: then it is relevant.
    """

    query_id: str
    query: str
    document: Shown
    answer: Shown
    models: tuple[str, ...]
    rank: int
    lead: float
    same_text: bool

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> Unlabelled:
        """The inverse of :func:`dataclasses.asdict`."""
        shown = {name: Shown(**about[name]) for name in ("document", "answer")}
        return cls(**{**about, **shown, "models": tuple(about["models"])})


def nearest_wrong_answers(
    collection: Collection, query_ids: Sequence[str], hits: Hits, n: int = 10, *, characters: int = 240
) -> tuple[WrongAnswer, ...]:
    """The wrong first answers that a search was surest of, surest first.

    Args:
        collection: What was searched.
        query_ids: The query of each row, each with a relevant document.
        hits: What was found.
        n: How many.
        characters: Where texts are cut.

    Raises:
        InputError: When the rows do not match the queries.
    """
    _require_rows(query_ids, hits)
    found = []
    for row, query in enumerate(query_ids):
        grades, ranked = collection.relevance[query], hits.of(row)
        if not ranked or grades.get(ranked[0][0], 0) > 0:
            continue
        rank = next((place for place, (name, _) in enumerate(ranked, 1) if grades.get(name, 0) > 0), None)
        below = ranked[-1 if rank is None else rank - 1][1]
        found.append((_lead(ranked[0][1], below), row, rank))
    found.sort(key=lambda each: (-each[0], each[1]))

    def shown(lead: float, row: int, rank: int | None) -> WrongAnswer:
        query = query_ids[row]
        grades, wrong = collection.relevance[query], str(hits.ids[row, 0])
        answer = max(grades, key=lambda name: grades[name]) if rank is None else str(hits.ids[row, rank - 1])
        return WrongAnswer(
            query, collection.queries[query], _shown(collection, wrong, characters, relevant=False), wrong in grades,
            _shown(collection, answer, characters, relevant=True), rank, lead,
        )  # fmt: skip

    return tuple(shown(*each) for each in found[:n])


def likely_unlabelled(
    collection: Collection, query_ids: Sequence[str], found: Mapping[str, Hits], n: int = 10, *, characters: int = 240
) -> tuple[Unlabelled, ...]:
    """Documents that are likely relevant though nobody has judged them, likeliest first.

    Those are documents without a judgement that stand above the query's first relevant document, where that one is
    within the first ten. First come texts that are the same as a relevant one's, then those that more models agree on,
    then those that lead by more. Judging them by hand is the cheapest way to a better test set.

    Args:
        collection: What was searched.
        query_ids: The query of each row, each with a relevant document.
        found: Model → what it found.
        n: How many.
        characters: Where texts are cut.

    Raises:
        InputError: When the rows do not match the queries.
    """
    votes: dict[tuple[int, str], list[tuple[str, int, float, str]]] = {}
    for model, hits in found.items():
        _require_rows(query_ids, hits)
        for row, query in enumerate(query_ids):
            for name, rank, lead, answer in _above(collection.relevance[query], hits.of(row)):
                votes.setdefault((row, name), []).append((model, rank, lead, answer))
    candidates = []
    for (row, name), of_models in votes.items():
        query = query_ids[row]
        right = {_plain(collection.documents[each]) for each, grade in collection.relevance[query].items() if grade > 0}
        same = name in collection.documents and _plain(collection.documents[name]) in right
        lead = sum(each[2] for each in of_models) / len(of_models)
        candidates.append((not same, -len(of_models), -lead, row, name, of_models))
    candidates.sort(key=lambda each: each[:5])
    return tuple(
        Unlabelled(
            query_ids[row], collection.queries[query_ids[row]],
            _shown(collection, name, characters, relevant=False),
            _shown(collection, of_models[0][3], characters, relevant=True),
            tuple(each[0] for each in of_models), min(each[1] for each in of_models), -lead, not other,
        )
        for other, _, lead, row, name, of_models in candidates[:n]
    )  # fmt: skip


def _above(grades: Mapping[str, int], ranked: list[tuple[str, float]]) -> list[tuple[str, int, float, str]]:
    """The documents without a judgement above the first relevant one: name, rank, lead, and that one's name."""
    near = ranked[:_NEAR_THE_TOP]
    first = next((place for place, (name, _) in enumerate(near) if grades.get(name, 0) > 0), None)
    if first is None:
        return []
    answer, score = near[first]
    return [
        (name, rank, _lead(own, score), answer)
        for rank, (name, own) in enumerate(near[:first], 1)
        if name not in grades
    ]


def _lead(above: float, below: float) -> float:
    return (above - below) / abs(above) if above else 0.0


def _shown(collection: Collection, name: str, characters: int, *, relevant: bool) -> Shown:
    return Shown(name, one_line(collection.documents.get(name, "(not in the collection)"), characters), relevant)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _require_rows(query_ids: Sequence[str], hits: Hits) -> None:
    if len(query_ids) != len(hits):
        raise InputError(f"there are {len(query_ids)} queries, but hits for {len(hits)}", field="hits")
