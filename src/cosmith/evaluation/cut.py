"""How much of a test set a model cannot read: texts that are longer than its limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosmith.data import Collection, Cut, StsPairs
from cosmith.evaluation.sts_task import sts_prompt

if TYPE_CHECKING:
    from cosmith.models import Encoder


def texts_cut(encoder: Encoder, task: Collection | StsPairs) -> tuple[Cut, ...]:
    """How many texts of a test set are cut when this model is scored on it.

    Args:
        encoder: Whose tokenizer, prompts and limit.
        task: A collection, whose documents and queries are counted, or scored pairs.

    Returns:
        One for each kind of text, whether or not any of them is cut.
    """

    def cut(what: str, texts: Sequence[str], prompt: str | None) -> Cut:
        return Cut.count_in(
            what,
            texts,
            lambda part: encoder.tokenize(part, prompt=prompt, instruction=task.instruction),
            encoder.max_length,
        )

    if isinstance(task, Collection):
        return (
            cut("documents", list(task.documents.values()), "document"),
            cut("queries", list(task.queries.values()), "query"),
        )
    return (cut("texts", [*task.first, *task.second], sts_prompt(task)),)
