"""What a model was trained on, by its lineage card, and whether a test set stands in it.

A lineage card names the training rows and raw texts of its model, of the models that it was made from, and of theirs:
where they stand, and the fingerprint of the stage that made them. They are found where the run was, and where it is if
it was moved with the model in it or beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmith.errors import InputError
from cosmith.phrases import counted, share
from cosmith.recipes.contamination import rows_of_texts, shown_of, trains_on
from cosmith.recipes.graph import output_names, stage_of
from cosmith.recipes.model_kind_schemas import ModelKindSettings
from cosmith.recipes.pretraining_schemas import AdaptStage
from cosmith.recipes.rebuilding_schemas import RebuildStage
from cosmith.recipes.run_folder import output_folder, read_record
from cosmith.recipes.schema import Recipe, Stage
from cosmith.recipes.shrinking_schemas import PruneVocabularyStage, StudentSettings
from cosmith.recipes.stage_schemas import MergeStage, TrainStage

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.data.contamination import Overlap
    from cosmith.evaluation import EvaluationTask

CARD, KEY = "lineage.json", "trained_on"

_HOW = {
    "query": "exact or 13 words in a row",
    "pair": "both texts in one row, exact or 13 words in a row",
    "text": "exact or 13 words in a row",
}


@dataclass(frozen=True)
class TaskContamination:
    """What of a task a model was trained on.

    Attributes:
        task: What the test set is called.
        asked: How many queries, pairs or texts it has.
        trained: How many of them are trained on, in whichever rows.
        unit: ``query``, ``pair`` or ``text``.
        overlaps: The same of each of the training Sources.
    """

    task: str
    asked: int
    trained: int
    unit: str
    overlaps: tuple[Overlap, ...]

    def describe(self) -> str:
        """In words, without the model's name."""
        asked = counted(self.asked, self.unit, "queries" if self.unit == "query" else None)
        part = f", {share(self.trained / self.asked)}" if self.trained else ""
        return f"{self.trained:,} of {asked} trained on{part} ({_HOW[self.unit]})"


@dataclass(frozen=True)
class ModelContamination:
    """What of some tasks a model was trained on.

    Attributes:
        model: The model.
        tasks: A value for each task of which something is asked that training could hold; none where no training text
            can be read.
        missing: Training rows and texts that are gone, or were made anew since, each with why.
        not_known: Models behind it, or itself, of which nothing says what they were trained on.
    """

    model: str
    tasks: tuple[TaskContamination, ...] = ()
    missing: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()

    @property
    def foreign(self) -> bool:
        """Whether nothing at all is known of its training."""
        return self.model in self.not_known

    def line(self, task: str) -> str | None:
        """What to say beside the scores on a task; None where nothing was checked."""
        found = next((each for each in self.tasks if each.task == task), None)
        if found is None:
            return None
        return f"{'warning: ' if found.trained else ''}training texts of {self.model}: {found.describe()}"

    def limits(self) -> str | None:
        """What could not be checked, in a line; None where everything was."""
        if self.foreign:
            return f"{self.model}: what it was trained on is not known, so no test set is held against it"
        told = [f"of its training texts {each}" for each in self.missing]
        if self.not_known:
            told.append(f"what {', '.join(self.not_known)} was trained on is not known")
        return f"{self.model}: {'; '.join(told)}; no test set is held against that" if told else None

    def values(self, task: str | None = None) -> dict[str, Any]:
        """The same as plain values, of all tasks or of one."""
        tasks = [
            {"task": each.task, "asked": each.asked, "trained": each.trained, "unit": each.unit,
             "share": each.trained / each.asked, "sources": [overlap.values() for overlap in each.overlaps]}
            for each in self.tasks if task in (None, each.task)
        ]  # fmt: skip
        return {"model": self.model, "tasks": tasks, "missing": list(self.missing), "not_known": list(self.not_known)}


def check_contamination(
    model: str | Path, tasks: Sequence[EvaluationTask], *, name: str | None = None, strict: bool = False
) -> ModelContamination:
    """Hold test sets against what a model was trained on.

    Args:
        model: A model's folder; anything else, e.g. a name on the Hugging Face Hub, says nothing of its training.
        tasks: The test sets.
        name: What to call the model.
        strict: Refuse where something asked is trained on, or where training texts of which the model's lineage tells
            can no longer be read. What a base model that others trained has seen is never known, and not refused.

    Raises:
        InputError: With ``strict``, in these cases.
    """
    called = str(model) if name is None else name
    card = read_card(Path(model))
    said = card.get(KEY) if card is not None else None
    if said is None:
        return ModelContamination(called, not_known=(called,))
    sources, missing = [], []
    for entry in said["rows"]:
        place = _place_of(entry, Path(model))
        if isinstance(place, str):
            missing.append(f"{entry['name']!r} {place}")
        else:
            sources.append(_source(entry, place))
    found = tuple(_held_against(sources, task) for task in tasks) if sources else ()
    told = ModelContamination(
        called, tuple(each for each in found if each.asked), tuple(missing), tuple(said["not_known"])
    )
    if strict:
        _require_clean(told, model)
    return told


def trained_on(recipe: Recipe, name: str, run: Path) -> dict[str, Any]:
    """What the model of a stage was trained on, as its lineage card tells it.

    Args:
        recipe: The recipe of the run.
        name: The stage.
        run: The run's folder.

    Returns:
        ``rows``, where training rows and raw texts stand, and ``not_known``, models of which nothing tells that.
    """
    kinds = output_names(recipe)
    rows: list[dict[str, Any]] = []
    outside: list[str] = []
    todo, seen = [name], set()
    while todo:
        stage_name = todo.pop()
        if stage_name in seen:
            continue
        seen.add(stage_name)
        stage = recipe.stages[stage_name]
        for each in trains_on(stage):
            giver = stage_of(each)
            if giver is not None:
                folder = output_folder(Path(giver), each.partition(".")[2], kinds[each])
                record = read_record(run / giver)
                stands = {"run": str(run.resolve()), "folder": folder.as_posix()}
                made = {"stage": giver, "fingerprint": record.fingerprint if record else None}
                rows.append({"name": each, "kind": kinds[each], **stands, **made})
        for parent in parents_of(stage):
            if (giver := stage_of(parent)) is not None:
                todo.append(giver)
            elif recipe.base:
                outside.append(recipe.base)
        if stage.kind == "model":
            outside.append(stage.path)
    return _joined(rows, outside)


def parents_of(stage: Stage) -> list[str]:
    """The models that a model was made from."""
    if isinstance(stage, MergeStage):
        return [*stage.models, stage.base]
    made_from_one = TrainStage | ModelKindSettings | AdaptStage | RebuildStage | StudentSettings | PruneVocabularyStage
    return [stage.model] if isinstance(stage, made_from_one) else []


def trained_on_of_models(models: Sequence[str]) -> dict[str, Any]:
    """The same of a model that was made from others by no run, e.g. merged."""
    return _joined([], models)


def read_card(folder: Path) -> dict[str, Any] | None:
    """The lineage that stands beside a model; None where there is none that can be read."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None


def _joined(given: Sequence[Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any]:
    """Rows, and those that some models from outside were trained on."""
    every: list[Mapping[str, Any]] = list(given)
    not_known: list[str] = []
    for model in dict.fromkeys(models):
        said = (read_card(Path(model)) or {}).get(KEY)
        every += [] if said is None else said["rows"]
        not_known += [model] if said is None else said["not_known"]
    rows = [row for number, row in enumerate(every) if row not in every[:number]]
    return {"rows": rows, "not_known": list(dict.fromkeys(not_known))}


def _place_of(entry: Mapping[str, Any], model: Path) -> Path | str:
    """Where training texts stand, or why they cannot be read."""
    why = f"are gone from {Path(entry['run'], entry['folder'])}"
    resolved = model.resolve()
    for run in (Path(entry["run"]), resolved.parent.parent, resolved.with_name(f"{resolved.name}.run")):
        record = read_record(run / entry["stage"])
        if record is None or not (run / entry["folder"]).is_dir():
            continue
        if record.fingerprint == entry["fingerprint"]:
            return Path(run, entry["folder"])
        why = f"were made anew since, in {run / entry['folder']}"
    return why


def _source(entry: Mapping[str, Any], place: Path) -> Source:
    """Training rows, or raw texts as rows."""
    from cosmith.data import Collection, Source, read_texts

    if entry["kind"] == "source":
        return replace(Source.load(place), name=entry["name"])
    if entry["kind"] == "collection":
        return rows_of_texts(entry["name"], Collection.read_beir(place).documents.values())
    return rows_of_texts(entry["name"], read_texts(place / "texts.jsonl").texts)


def _held_against(sources: Sequence[Source], task: EvaluationTask) -> TaskContamination:
    from cosmith.evaluation.contamination import overlap_with_task

    overlaps = tuple(overlap_with_task(source, task) for source in sources)
    trained = {number for overlap in overlaps for number in overlap.tested.tolist()}
    return TaskContamination(task.name, overlaps[0].asked, len(trained), overlaps[0].unit, overlaps)


def _require_clean(found: ModelContamination, model: str | Path) -> None:
    """Refuse a model that was trained on a test, or of which that cannot be seen."""
    for each in found.tasks:
        if each.trained:
            overlap = next(overlap for overlap in each.overlaps if overlap.trained)
            raise InputError(
                f"of {each.task}, {each.describe()}: {shown_of(overlap)}", path=model, field="strict",
                remedy="Take the queries out of the test set or train again without those rows (a stage `clean` with"
                " `without`); what it scores here says nothing of new queries.",
            )  # fmt: skip
    if found.missing:
        raise InputError(
            f"of its training texts {'; '.join(found.missing)}, so no test set can be held against them", path=model,
            field="strict", remedy="Put the run's folder back, or leave strict out.",
        )  # fmt: skip
