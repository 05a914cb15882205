"""What smaller vectors of a model cost: `cosmith evaluate --dims --precisions`, and the table of every sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmith.cli.averages import sweep_averages_told
from cosmith.cli.contamination import contamination_value, lines_of
from cosmith.cli.contestants import Loaded, file_name
from cosmith.cli.manner import Manner
from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.texts import task_cut
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import Sweep
    from cosmith.evaluation.tasks import EvaluationTask
    from cosmith.models import TextEncoder
    from cosmith.recipes import ModelContamination


@dataclass(frozen=True)
class Swept:
    """Which forms of vectors were asked for.

    Attributes:
        dims: Numbers of a vector; none: all.
        precisions: How they are stored.
    """

    dims: tuple[int, ...]
    precisions: tuple[str, ...]

    @classmethod
    def of(cls, dims: str | None, precisions: str | None, forbidden: Mapping[str, bool]) -> Swept | None:
        """Read the two options, lists with commas; None where neither is given.

        Args:
            dims: As ``384,256``.
            precisions: As ``float32,int8,binary``.
            forbidden: Options that do not go with them → whether they are given.

        Raises:
            InputError: When one cannot be read, or another option does not go with it.
        """
        if dims is None and precisions is None:
            return None
        option = "--dims" if dims is not None else "--precisions"
        clash = next((each for each, given in forbidden.items() if given), None)
        if clash is not None:
            raise InputError(f"does not go with {option}", field=clash, remedy="Leave one of them out.")
        from cosmith.retrieval.vector_forms import require_forms

        lengths = lengths_of(dims)
        return cls(lengths, require_forms(listed(precisions) or ("float32",), field="--precisions"))

    def show(
        self,
        loaded: Loaded,
        tasks: Sequence[EvaluationTask],
        manner: Manner,
        *,
        seed: int,
        output: Path | None,
        trained: Sequence[ModelContamination],
    ) -> None:
        """Score a model in all forms on all tasks: a table a task, and its scores as files where there is a folder.

        Raises:
            InputError: When it does not give one vector a text, or a length is more than its vectors have.
        """
        from cosmith.evaluation import sweep

        encoder = vectors_of(loaded, "--dims" if self.dims else "--precisions")

        def score(task: EvaluationTask) -> Sweep:
            with told_by_option(options_of("dims")):
                return sweep(
                    encoder, task, dims=self.dims, precisions=self.precisions, seed=seed, model=loaded.contestant.name
                )

        show_sweeps(score, loaded, tasks, manner, output, trained)


def vectors_of(loaded: Loaded, option: str) -> TextEncoder:
    """What makes a model's vectors.

    Raises:
        InputError: When it does not give one vector a text, naming the option that needs it.
    """
    contestant = loaded.contestant
    if contestant.encoder is None:
        raise InputError(
            f"{contestant.name} makes no vector of a text that could be cut or stored smaller", field=option,
            remedy="Name a dense or static model.",
        )  # fmt: skip
    return contestant.encoder


def show_sweeps(
    score: Callable[[EvaluationTask], Sweep],
    loaded: Loaded,
    tasks: Sequence[EvaluationTask],
    manner: Manner,
    output: Path | None,
    trained: Sequence[ModelContamination],
) -> None:
    """A table for each task, with what of it was trained on; of several tasks the averages.

    Args:
        score: Scores the model in all forms on a task.
        loaded: The model.
        tasks: The tasks.
        manner: How to print.
        output: Where to write the tables as JSON and Markdown, with the scores of each form; None: nowhere.
        trained: What of the tasks the model was trained on.
    """
    found = []
    for task in tasks:
        found.append((task.kind, score(task)))
        _show(found[-1][1], loaded, task, manner, output, trained)
    if len(tasks) > 1:
        manner.result(*sweep_averages_told(found))


def _show(
    found: Sweep,
    loaded: Loaded,
    task: EvaluationTask,
    manner: Manner,
    output: Path | None,
    trained: Sequence[ModelContamination],
) -> None:
    from cosmith.atomic import atomic_file, write_json

    cut = [] if loaded.encoder is None else task_cut(loaded.encoder, task, manner)
    value: dict[str, Any] = (
        found.to_dict() | {"kind": task.kind, "cut": cut} | contamination_value(trained, task.name)
    )  # fmt: skip
    if output is not None:
        for each in found.forms:
            each.scores.to_json(output / f"{file_name(each.scores)}.json")
        name = file_name(found.forms[0].scores)
        write_json(output / f"{name}.sweep.json", value)
        with atomic_file(output / f"{name}.sweep.md") as handle:
            handle.write(found.markdown() + "\n")
    beside = "".join(f"{line}\n" for line in lines_of(trained, task.name))
    manner.result(f"{found.table()}\n{beside}", value)


def lengths_of(dims: str | None) -> tuple[int, ...]:
    """The lengths of ``384,256``; none where the option is not given.

    Raises:
        InputError: When one is not a whole number above 0, or there is none.
    """
    numbers = listed(dims)
    wrong = next((each for each in numbers if not each.isdecimal() or int(each) < 1), None)
    if wrong is not None or (dims is not None and not numbers):
        raise InputError(f"{wrong or dims!r} is not a length of vectors", field="--dims",
                         remedy="Write whole numbers with commas, e.g. 384,256,128.")  # fmt: skip
    return tuple(map(int, numbers))


def listed(said: str | None) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in (said or "").split(",") if part.strip())
