"""All that is said about where one search errs on one collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.analysis.answers import Unlabelled, WrongAnswer, likely_unlabelled, nearest_wrong_answers
from cosmith.evaluation.analysis.groups import Group, RankGroup, first_relevant_ranks, groups_by, ranks_of
from cosmith.evaluation.analysis.lengths import Truncation, text_lengths, truncation_loss
from cosmith.evaluation.scores import Scores

if TYPE_CHECKING:
    from cosmith.data import Collection
    from cosmith.models import ReadingEncoder
    from cosmith.retrieval import Hits


@dataclass(frozen=True)
class ErrorAnalysis:
    """Where a search errs.

    Attributes:
        task: The test set.
        model: The searcher.
        metric: What the groups score by.
        queries: How many queries were asked.
        unit: In what lengths are counted: ``"tokens"`` or ``"words"``.
        by_query_length: Queries grouped by their own length.
        by_document_length: Queries grouped by the mean length of their relevant documents.
        ranks: How many have their first relevant document where.
        wrong: The wrong first answers that it was surest of.
        unlabelled: Documents that are likely relevant, though nobody has judged them.
        truncation: What the model does not read; None where that is not known, or it reads texts of any length.
    """

    task: str
    model: str
    metric: str
    queries: int
    unit: str
    by_query_length: tuple[Group, ...]
    by_document_length: tuple[Group, ...]
    ranks: tuple[RankGroup, ...]
    wrong: tuple[WrongAnswer, ...]
    unlabelled: tuple[Unlabelled, ...]
    truncation: Truncation | None

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold, and gives back alike."""
        return asdict(self, dict_factory=lambda pairs: {key: _listed(value) for key, value in pairs})

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> ErrorAnalysis:
        """The inverse of :meth:`to_dict`."""
        cut = about["truncation"]
        return cls(
            **{name: about[name] for name in ("task", "model", "metric", "queries", "unit")},
            by_query_length=tuple(map(Group.from_dict, about["by_query_length"])),
            by_document_length=tuple(map(Group.from_dict, about["by_document_length"])),
            ranks=tuple(RankGroup(**each) for each in about["ranks"]),
            wrong=tuple(WrongAnswer.from_dict(each) for each in about["wrong"]),
            unlabelled=tuple(Unlabelled.from_dict(each) for each in about["unlabelled"]),
            truncation=None if cut is None else Truncation.from_dict(cut),
        )


def analyse_errors(
    collection: Collection,
    hits: Hits,
    scores: Scores,
    *,
    encoder: ReadingEncoder | None = None,
    in_words: bool = False,
    metric: str | None = None,
    examples: int = 10,
    resamples: int = 2_000,
    seed: int = 0,
) -> ErrorAnalysis:
    """Find out where a search errs.

    Args:
        collection: What was searched.
        hits: What was found, a row for each of the scores' queries.
        scores: What that scores.
        encoder: In whose tokens to count, and of whose limit to tell; None: lengths are in words.
        in_words: Group by words all the same, so that the groups of models with different tokenizers are alike.
        metric: By what to score groups; by default the main one.
        examples: How many wrong answers, and how many documents that are likely relevant, to show.
        resamples: For the intervals of groups.
        seed: For these.

    Raises:
        InputError: When the hits are not of the scores' queries, or the metric has no values by query.
    """
    metric = metric or scores.main
    if len(hits) != len(scores.query_ids):
        raise InputError(f"there are {len(scores.query_ids)} queries, but hits for {len(hits)}", field="hits")
    if metric not in scores.per_query:
        raise InputError(f"{scores.model} has no values by query for {metric!r}", field="metric")
    values, queries = scores.per_query[metric], scores.query_ids
    position = {name: number for number, name in enumerate(collection.documents)}
    answers = [
        [position[name] for name, grade in collection.relevance[query].items() if grade > 0] for query in queries
    ]
    lengths = text_lengths(collection, queries, None if in_words else encoder)
    read = lengths if encoder is None or not in_words else text_lengths(collection, queries, encoder)
    of_answers = np.array([round(float(lengths.documents[each].mean())) for each in answers])
    ranks = first_relevant_ranks(collection, queries, hits)
    return ErrorAnalysis(
        task=scores.task,
        model=scores.model,
        metric=metric,
        queries=len(queries),
        unit=lengths.unit,
        by_query_length=groups_by(lengths.queries, values, resamples=resamples, seed=seed),
        by_document_length=groups_by(of_answers, values, resamples=resamples, seed=seed),
        ranks=ranks_of(ranks, hits.depth),
        wrong=nearest_wrong_answers(collection, queries, hits, examples),
        unlabelled=likely_unlabelled(collection, queries, {scores.model: hits}, examples),
        truncation=truncation_loss(read, answers, values, resamples=resamples, seed=seed),
    )


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
