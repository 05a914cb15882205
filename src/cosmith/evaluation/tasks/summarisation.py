"""Summarisation: are summaries that people find good near to those that people write?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.correlation import resampled_pearson, resampled_spearman
from cosmith.evaluation.equal_vectors import distinct_rows
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_texts, scores_from, symmetric_prompt

if TYPE_CHECKING:
    from cosmith.data.test_sets import Summaries
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SummarisationTask(OfData):
    """Judged summaries as a task, by MTEB's protocol.

    A summary by a machine counts as much as its greatest cosine with a summary of the same text by a person; for each
    text this is correlated with the judgements, and the correlations are averaged. Texts whose judgements, or whose
    cosines, are all equal are left out; where the cosines of all texts are, the score is 0.

    Attributes:
        name: What the test set is called.
        data: The summaries.
        main: The metric that counts.
    """

    name: str
    data: Summaries
    main: str = "cosine_spearman"
    kind: ClassVar[Kind] = "summarisation"

    def __post_init__(self) -> None:
        if not any(len(set(scores)) > 1 for scores in self.data.scores):
            raise InputError(
                f"the judgements of each text of {self.name!r} are all equal", field="scores",
                remedy="Give a text with summaries that are judged differently.",
            )  # fmt: skip

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        prompt = symmetric_prompt(self.instruction)
        return tuple(
            TaskTexts(what, [text for texts in lists for text in texts], prompt)
            for what, lists in (("human summaries", self.data.human), ("machine summaries", self.data.machine))
        )

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`."""
        human, machine = (encode_texts(encoder, part, instruction=self.instruction, dim=dim) for part in self.texts())
        rows, kept = [], []
        human_start = machine_start = 0
        for number, (by_people, gold) in enumerate(zip(self.data.human, self.data.scores, strict=True)):
            people = human[human_start : human_start + len(by_people)]
            machines = machine[machine_start : machine_start + len(gold)]
            human_start, machine_start = human_start + len(by_people), machine_start + len(gold)
            first, group_of = distinct_rows(machines)  # equal summaries tie, wherever they stand
            nearest = (machines[first] @ people.T).max(axis=1).astype(np.float64)[group_of]
            if len(set(gold)) > 1 and len(np.unique(nearest)) > 1:
                rows.append(_correlations(np.array(gold, dtype=np.float64), nearest))
                kept.append(str(number))
        per_text = np.array(rows) if rows else np.zeros((1, 2))
        return scores_from(
            self, encoder, values={},
            per_item={"cosine_spearman": per_text[:, 0], "cosine_pearson": per_text[:, 1]}, item_ids=kept or ["none"],
            unit="texts", seed=seed, resamples=resamples, model=model,
        )  # fmt: skip


def _correlations(gold: Floats, found: Floats) -> tuple[float, float]:
    once = np.ones((1, len(gold)))
    return float(resampled_spearman(gold, found)(once)[0]), float(resampled_pearson(gold, found)(once)[0])
