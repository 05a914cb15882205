"""When a step fails: keep what it was, find out why, and write it down."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cosmith.atomic import atomic_file, atomic_folder, write_json
from cosmith.errors import CosmithError
from cosmith.progress import track
from cosmith.training.checkpoint import Progress, save_state
from cosmith.training.health.checks import (
    CHECKS,
    Case,
    Finding,
    backward,
    forward,
    in_float32,
    loss_ingredients,
    ranges,
    raw_batch,
    repeat,
    with_smaller_changes,
)

HEALTH = "health"


class Diverged(CosmithError):  # noqa: N818  (the field's word)
    """A step had no finite loss or gradient; the weights are those before it."""


# Which answer explains the others: what was wrong before the step, then where it first shows, then what would help.
_BY_WEIGHT = tuple(
    check.__name__
    for check in (raw_batch, ranges, in_float32, forward, loss_ingredients, with_smaller_changes, backward, repeat)
)


@dataclass(frozen=True)
class Diagnosis:
    """Why a step had no finite loss or gradient.

    Attributes:
        step: Its number, from 1.
        source: What its rows came from.
        loss: What the loss was, as text (JSON has no NaN).
        norm: What the norm of the gradient was, likewise; empty where it did not come to that.
        findings: The answers, in the order in which they were asked.
    """

    step: int
    source: str
    loss: str
    norm: str
    findings: tuple[Finding, ...]

    @property
    def explanation(self) -> Finding | None:
        """The answer that explains the fault best."""
        causes = [finding for finding in self.findings if finding.cause is not None]
        specific = [finding for finding in causes if not _is_symptom(finding, causes)]
        return min(specific or causes, key=lambda each: _BY_WEIGHT.index(each.check), default=None)

    def describe(self) -> list[str]:
        """The diagnosis as Markdown."""
        found = self.explanation
        what = f"loss {self.loss}" + (f", norm of the gradient {self.norm}" if self.norm else "")
        lines = [f"# Step {self.step:,} ({self.source}): {what}", ""]
        if found is None:
            lines += ["No cause could be named; the answers below are what is known.", ""]
        else:
            lines += [f"**Most likely cause:** {found.cause}.", "", f"**What to change:** {found.remedy}", ""]
        lines += ["The weights are those before the step: nothing of it has touched them.", "", "## What was asked", ""]
        for number, finding in enumerate(self.findings, start=1):
            mark = {True: "sound", False: "not sound", None: "cannot be told"}[finding.sound]
            lines += [f"{number}. **{finding.question}** ({mark}) {finding.answer}"]
        return [*lines, ""]


def diagnose(case: Case, loss: float, norm: float | None) -> Diagnosis:
    """Ask all questions of a step that failed; weights, gradients and modes are left as they were but for gradients,
    which are dropped."""
    findings = []
    with track("Diagnosing", len(CHECKS), "questions") as bar:
        for check in CHECKS:
            findings.append(_asked(check, case))
            bar.advance(1)
    return Diagnosis(case.step + 1, case.work.source, f"{loss:g}", "" if norm is None else f"{norm:g}", tuple(findings))


def write_diagnosis(folder: Path, case: Case, diagnosis: Diagnosis, progress: Progress) -> Path:
    """Write ``health/step-N.md``, and beside it the exact batch, weights and optimizer state (no pickles).

    Returns:
        The page.
    """
    place = folder / HEALTH / f"step-{diagnosis.step}"
    work = case.work
    with atomic_folder(place) as temporary:
        save_state(temporary, case.job.module, case.optimizer)
        count = sum(map(len, work.batches))
        write_json(
            temporary / "batch.json",
            {
                "step": diagnosis.step,
                "source": work.source,
                "seed": case.job.settings.seed,
                "steps_done": progress.step,
                "learning_rate": case.learning_rate,
                "micro_batches": [np.asarray(batch).tolist() for batch in work.batches],
                "texts": [work.describe(number) for number in range(count)],
            },
        )
        write_json(temporary / "findings.json", [asdict(finding) for finding in diagnosis.findings])
    page = folder / HEALTH / f"step-{diagnosis.step}.md"
    with atomic_file(page) as handle:
        handle.write("\n".join(diagnosis.describe()))
    return page


def read_findings(folder: Path) -> Sequence[Finding]:
    """The findings in a folder ``health/step-N``."""
    return [Finding(**each) for each in json.loads((folder / "findings.json").read_text(encoding="utf-8"))]


def _asked(check: Callable[[Case], Finding], case: Case) -> Finding:
    """The answer to a question; a question that itself fails is an answer, too."""
    try:
        finding = check(case)
    except Exception as error:  # the diagnosis of a broken step must not break
        question = check.__name__.replace("_", " ").capitalize() + "?"
        finding = Finding(question, f"It could not be asked: {type(error).__name__}: {error}", None)
    return replace(finding, check=check.__name__)


def _is_symptom(finding: Finding, causes: Sequence[Finding]) -> bool:
    """An operation that fails on numbers that are not finite already only passes the fault on."""
    return "hold it already" in finding.answer and len(causes) > 1
