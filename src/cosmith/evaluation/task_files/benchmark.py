"""Several tasks as one: a ``tasks.yaml`` that names them, and the averages over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from cosmith.errors import InputError, nearest
from cosmith.evaluation.task_files.reading import TaskRead, read_task
from cosmith.evaluation.tasks.subsets import SubsetsTask

if TYPE_CHECKING:
    from cosmith.evaluation.scores import Scores
    from cosmith.evaluation.tasks.task import EvaluationTask

_OF_FILES = ("path", "kind", "split", "name", "instruction")
_EXAMPLE = "tasks:\n  - my-test-set\n  - {path: pairs.tsv, kind: sts, name: pairs}"


@dataclass(frozen=True)
class Benchmark:
    """Tasks that are evaluated and averaged together.

    Attributes:
        name: What it is called.
        tasks: They, of different names.
    """

    name: str
    tasks: tuple[TaskRead, ...]


@dataclass(frozen=True)
class Average:
    """The averages of a model's main metrics.

    Attributes:
        of_tasks: Over all tasks, each counting alike.
        of_kinds: Over the kinds, each counting alike: the mean of ``by_kind``.
        by_kind: Kind → the mean over its tasks.
    """

    of_tasks: float
    of_kinds: float
    by_kind: Mapping[str, float]


def averages(found: Sequence[tuple[str, Scores]]) -> Average:
    """Average a model's scores, as MTEB's leaderboards do.

    Args:
        found: The kind of each task, and the scores on it; at least one.

    Raises:
        InputError: When there is none.
    """
    if not found:
        raise InputError("there are no scores to average", field="found")
    by_kind: dict[str, list[float]] = {}
    for kind, scores in found:
        by_kind.setdefault(kind, []).append(scores.value)
    means = {kind: float(np.mean(values)) for kind, values in by_kind.items()}
    of_tasks = float(np.mean([scores.value for _, scores in found]))
    return Average(of_tasks, float(np.mean(list(means.values()))), means)


def is_benchmark(path: str | Path) -> bool:
    """Whether a path is that of a file that names tasks."""
    return Path(path).suffix.lower() in (".yaml", ".yml") and Path(path).is_file()


def read_benchmark(path: str | Path, *, rejected: str | Path | None = None) -> Benchmark:
    """Read the tasks that a YAML file names, all of them before any is evaluated.

    The file holds ``tasks``, a list of paths, which start at the file, or of mappings: ``path``, and where they are not
    to be found, ``kind``, ``split``, ``name`` and ``instruction`` as :func:`read_task` has them; and what the kind's
    class has settings for, e.g. ``samples: 16`` of a classification task. And it may hold a ``name``.

    Args:
        path: The file.
        rejected: A folder for the records of each task that cannot be used, ``TASK.rejected.jsonl``.

    Raises:
        InputError: When the file is not of this form, two tasks have one name, or a task cannot be read; it names the
            file and the line.
    """
    path = Path(path)
    content, lines = _yaml(path)
    if unknown := next((key for key in content if key not in ("name", "tasks")), None):
        raise InputError(
            f"unknown key {unknown!r}", path=path, field=str(unknown), remedy=nearest(str(unknown), ["name", "tasks"])
        )
    entries = content.get("tasks")
    if not isinstance(entries, list) or not entries:
        raise InputError("names no tasks", path=path, field="tasks", remedy=f"Write a list of paths:\n{_EXAMPLE}")
    tasks: dict[str, TaskRead] = {}
    for number, entry in enumerate(entries):
        line = lines[number] if number < len(lines) else None
        field = f"tasks[{number}]"
        try:
            read = _task(entry, path, rejected)
        except InputError as error:
            if error.path is not None and error.path != path:  # what is wrong stands in the task's own file
                raise
            told = f"{field}.{error.field}" if error.field else field
            raise InputError(error.problem, path=path, line=line, field=told, remedy=error.remedy) from error
        if read.task.name in tasks:
            raise InputError(
                f"a task is called {read.task.name!r} already", path=path, line=line, field=field,
                remedy="Give it a `name` of its own.",
            )  # fmt: skip
        tasks[read.task.name] = read
    return Benchmark(str(content.get("name") or path.stem), tuple(tasks.values()))


def _yaml(path: Path) -> tuple[Mapping[str, Any], list[int]]:
    """What the file holds, and the line of each task."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, remedy="Check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", path=path, remedy="Save it as UTF-8.") from error
    try:
        content, root = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        raise InputError(
            f"is not YAML: {problem}", path=path, line=None if mark is None else mark.line + 1,
            remedy=f"Write:\n{_EXAMPLE}",
        ) from error  # fmt: skip
    if not isinstance(content, dict):
        raise InputError("is not a mapping", path=path, line=1, remedy=f"Write:\n{_EXAMPLE}")
    assert isinstance(root, yaml.MappingNode)  # as the content is
    listed = next((value for key, value in root.value if key.value == "tasks"), None)
    items = listed.value if isinstance(listed, yaml.SequenceNode) else []
    return content, [item.start_mark.line + 1 for item in items]


def _task(entry: Any, path: Path, rejected: str | Path | None) -> TaskRead:
    if isinstance(entry, str):
        entry = {"path": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise InputError("has no path", field="path", remedy=f"Write a path, or a mapping with one:\n{_EXAMPLE}")
    settings = {key: value for key, value in entry.items() if key not in _OF_FILES}
    texts = {key: value for key, value in entry.items() if key in _OF_FILES[1:]}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise InputError(f"is {value!r}, not a text", field=key, remedy="Put it in quotes, or leave it out.")
    place = entry["path"] if entry["path"].startswith("hf:") else path.parent / entry["path"]
    called = texts.get("name") or Path(entry["path"]).name
    aside = None if rejected is None else Path(rejected) / f"{called}.rejected.jsonl"
    read = read_task(place, rejected=aside, **texts)
    return replace(read, task=_with_settings(read.task, settings)) if settings else read


def _with_settings(task: EvaluationTask, settings: Mapping[str, Any]) -> EvaluationTask:
    """A task with some of its class's settings changed; of several sets, each of them."""
    if isinstance(task, SubsetsTask):
        return replace(task, parts=tuple(_with_settings(part, settings) for part in task.parts))
    valid = [field.name for field in fields(task) if field.name not in ("name", "data")]  # type: ignore[arg-type]
    given = dict(settings)
    for key, value in settings.items():
        if key not in valid:
            choices = [*_OF_FILES, *valid]
            raise InputError(
                f"a task of the kind {task.kind} has no setting {key!r}", field=str(key),
                remedy=nearest(str(key), choices),
            )  # fmt: skip
        now = getattr(task, key)
        if isinstance(now, tuple):
            given[key] = _listed(key, value, now)
            continue
        if not isinstance(value, int if now is None else type(now)) or isinstance(value, bool):
            raise InputError(f"is {value!r}; it is {now!r} by default", field=key, remedy="Give one of that sort.")
    changed: EvaluationTask = replace(task, **given)  # type: ignore[type-var]
    return changed


def _listed(key: str, value: Any, now: tuple[Any, ...]) -> tuple[Any, ...]:
    """A list of a YAML file as a setting that holds several of one sort."""
    sort = type(now[0])
    if not isinstance(value, list) or not value or any(type(each) is not sort for each in value):
        raise InputError(
            f"is {value!r}; it is {list(now)} by default", field=key, remedy="Give a list of that sort, of one or more."
        )
    return tuple(value)
