"""A task of several sets of one kind, e.g. a language each: every set is scored by itself, and the mean counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.breakdown import Breakdown
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.reranking import RerankingTask
from cosmith.evaluation.tasks.task import EvaluationTask, TaskTexts, scores_from

if TYPE_CHECKING:
    from cosmith.data.rows import Rejected
    from cosmith.models import PairScorer, TextEncoder


@dataclass(frozen=True)
class SubsetsTask:
    """Several tasks of one kind as one, as MTEB treats the languages of a set: each counts alike, whatever its size.

    Attributes:
        name: What the whole is called.
        parts: A task each, two or more, of different names.
        by: What tells them apart.
    """

    name: str
    parts: tuple[EvaluationTask, ...]
    by: str = "set"

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names) or len(names) < 2:
            raise InputError(f"{self.name!r} needs two sets or more of different names, got {names}", field="parts")
        kinds = {(part.kind, part.main) for part in self.parts}
        if len(kinds) > 1:
            told = ", ".join(sorted(kind for kind, _ in kinds))
            raise InputError(
                f"the sets of {self.name!r} are of several kinds: {told}", field="parts",
                remedy="Make each a task of its own.",
            )  # fmt: skip

    @property
    def kind(self) -> Kind:
        """What is asked of the encoder."""
        return self.parts[0].kind

    @property
    def main(self) -> str:
        """The metric that counts."""
        return self.parts[0].main

    @property
    def instruction(self) -> str:
        """What is told to models that take instructions."""
        return self.parts[0].instruction

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The records of all files that cannot be used."""
        return tuple(row for part in self.parts for row in part.rejected)

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read: those of one name and prompt together."""
        together: dict[tuple[str, str | None], list[str]] = {}
        for part in self.parts:
            for texts in part.texts():
                together.setdefault((texts.what, texts.prompt), []).extend(texts.texts)
        return tuple(TaskTexts(what, texts, prompt) for (what, prompt), texts in together.items())

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`.

        Values are means over the sets, and the breakdown has those of each. For the interval of the mean each set's
        items are drawn by themselves, and the sets' own metrics of these draws averaged.
        """
        found = [
            part.evaluate(encoder, dim=dim, seed=own, resamples=resamples, model=model)
            for part, own in zip(self.parts, _seeds(seed, len(self.parts)), strict=True)
        ]
        return self._of_parts(found, encoder, seed, resamples, model)

    def evaluate_scorer(
        self, scorer: PairScorer, *, seed: int = 0, resamples: int = 10_000, model: str | None = None
    ) -> Scores:
        """As :meth:`RerankingTask.evaluate_scorer`, where the sets are for reranking.

        Raises:
            InputError: As there, and when they are of another kind.
        """
        parts = [part for part in self.parts if isinstance(part, RerankingTask)]
        if len(parts) < len(self.parts):
            raise InputError(f"{self.name!r} is a task of the kind {self.kind}, whose texts are not scored in pairs",
                             field="parts", remedy="Give it reranking tasks.")  # fmt: skip
        found = [
            part.evaluate_scorer(scorer, seed=own, resamples=resamples, model=model)
            for part, own in zip(parts, _seeds(seed, len(parts)), strict=True)
        ]
        return self._of_parts(found, scorer, seed, resamples, model)

    def _of_parts(
        self,
        found: Sequence[Scores],
        encoder: TextEncoder | PairScorer,
        seed: int,
        resamples: int,
        model: str | None,
    ) -> Scores:
        """The scores of the whole from those of its sets."""
        shared = [metric for metric in found[0].values if all(metric in scores.values for scores in found)]
        shown = [metric for metric in dict.fromkeys([*found[0].reported, "coverage"]) if metric in shared]
        counts = [len(scores.query_ids) for scores in found]
        rows = {
            part.name: {metric: scores.values[metric] for metric in shown} | {scores.unit: float(count)}
            for part, scores, count in zip(self.parts, found, counts, strict=True)
        }
        per_item = {
            metric: np.concatenate([scores.per_query[metric] if scores.query_ids else np.zeros(1) for scores in found])
            for metric in shown
            if all(metric in scores.per_query for scores in found)
        }
        names = [part.name for part in self.parts]
        values = {metric: float(np.mean([each.values[metric] for each in found])) for metric in shared}
        item_ids = [
            f"{name}/{item}" for name, each in zip(names, found, strict=True) for item in each.query_ids or ("none",)
        ]
        return scores_from(
            self, encoder, values=values, per_item=per_item, item_ids=item_ids, unit=found[0].unit, seed=seed,
            resamples=resamples, model=model, breakdown=Breakdown(self.by, rows),
            sets=[max(count, 1) for count in counts],  # one of which nothing is known counts as 0
            resampled={
                metric: np.mean([scores.resampled[metric] for scores in found], axis=0)
                for metric in per_item
                if all(metric in scores.resampled for scores in found)
            },
        )  # fmt: skip


def _seeds(seed: int, count: int) -> list[int]:
    """One for each set, whose items are drawn by themselves (a stratified bootstrap)."""
    return [int(own) for own in np.random.SeedSequence(seed).generate_state(count)]
