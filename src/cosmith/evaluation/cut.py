"""How much of a test set a model cannot read: texts that are longer than its limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cosmith.data import Cut
from cosmith.models.lengths import UNLIMITED

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.task import EvaluationTask, TaskTexts
    from cosmith.models import ReadingEncoder


def texts_cut(encoder: ReadingEncoder, task: EvaluationTask) -> tuple[Cut, ...]:
    """How many texts of a test set are cut when this model is scored on it.

    Args:
        encoder: Whose tokenizer, prompts and limit.
        task: Says which texts it encodes.

    Returns:
        One for each kind of text, whether or not any of them is cut; none for a model that reads texts of any length.
    """
    if encoder.max_length >= UNLIMITED:
        return ()

    def cut(texts: TaskTexts) -> Cut:
        return Cut.count_in(
            texts.what,
            texts.texts,
            lambda part: encoder.tokenize(part, prompt=texts.prompt, instruction=task.instruction),
            encoder.max_length,
        )

    return tuple(map(cut, task.texts()))


def models_by_cut(entries: Iterable[Mapping[str, Any]]) -> dict[tuple[str, Cut], list[str]]:
    """Put together the models that cut a task's texts alike; what is not cut is left out.

    Args:
        entries: Task, model and the fields of a :class:`~cosmith.data.Cut` each, as an evaluate stage keeps them.

    Returns:
        (task, cut) → models, in the order of the entries.
    """
    models: dict[tuple[str, Cut], list[str]] = {}
    for each in entries:
        if each["count"]:
            cut = Cut(each["what"], each["count"], each["of"], each["limit"])
            models.setdefault((each["task"], cut), []).append(each["model"])
    return models
