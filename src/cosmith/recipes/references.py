"""How a stage of a recipe names what it works on, and the check that every such name means something.

A stage leaves named outputs. ``data.train`` is the output ``train`` of the stage ``data``; ``mined`` alone is the only
output of the stage ``mined``. Three names need no stage: ``base``, ``bm25`` and ``general-check``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Kind = Literal[
    "source", "collection", "sts", "task", "texts", "model", "reranker", "sparse", "late-interaction", "lexical",
    "scores", "index",
]  # fmt: skip

BUILT_IN_NAMES: dict[str, Kind] = {"base": "model", "bm25": "lexical", "general-check": "collection"}


@dataclass(frozen=True)
class Accepts:
    """Marks a field whose text is the name of a built-in or of an earlier stage's output."""

    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Mentions:
    """Marks a field that names a stage of this kind, above or below: its settings are read, not its outputs."""

    stage_kind: str


@dataclass(frozen=True)
class ReadsPath:
    """Marks a field that names a file or folder outside the run; its content belongs to the stage's fingerprint."""


SourceName = Annotated[str, Accepts(("source",))]
CollectionName = Annotated[str, Accepts(("collection",))]
TaskName = Annotated[str, Accepts(("collection", "sts", "task"))]
TextsName = Annotated[str, Accepts(("texts", "source", "collection"))]
RawTextsName = Annotated[str, Accepts(("texts",))]
ModelName = Annotated[str, Accepts(("model",))]
RetrieverName = Annotated[str, Accepts(("model", "sparse", "late-interaction", "lexical"))]
RankerName = Annotated[str, Accepts(("model", "sparse", "late-interaction", "lexical", "reranker"))]
SparseStartName = Annotated[str, Accepts(("model", "sparse"))]
LateInteractionStartName = Annotated[str, Accepts(("model", "late-interaction"))]
RerankerName = Annotated[str, Accepts(("reranker",))]
PairScorerName = Annotated[str, Accepts(("model", "reranker"))]
ScoresName = Annotated[str, Accepts(("scores",))]
InputPath = Annotated[str, ReadsPath()]


@dataclass(frozen=True)
class Use:
    """One value of a marked field: where it stands and what it says."""

    field: str
    item: int | None
    value: str
    mark: Accepts | Mentions | ReadsPath

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The way to the value within its stage."""
        return (self.field,) if self.item is None else (self.field, self.item)


def uses(stage: BaseModel) -> Iterator[Use]:
    """Every name and path that a stage's settings hold, in the order of the fields; unset fields give none."""
    for field, info in type(stage).model_fields.items():
        mark = mark_of(info)
        value = getattr(stage, field)
        if mark is None or value is None:
            continue
        if isinstance(value, str):
            yield Use(field, None, value, mark)
        else:
            for item, text in enumerate(value):
                yield Use(field, item, text, mark)


def mark_of(info: FieldInfo) -> Accepts | Mentions | ReadsPath | None:
    """What a field's text names, if it names something."""
    return _mark(info.metadata) or _mark_within(info.annotation)


def _mark(metadata: Any) -> Accepts | Mentions | ReadsPath | None:
    return next((mark for mark in metadata if isinstance(mark, Accepts | Mentions | ReadsPath)), None)


def _mark_within(annotation: Any) -> Accepts | Mentions | ReadsPath | None:
    """The mark inside ``list[Annotated[str, mark]]`` or ``Annotated[str, mark] | None``."""
    if get_origin(annotation) is Annotated:
        return _mark(get_args(annotation)[1:])
    for argument in get_args(annotation):
        if (found := _mark_within(argument)) is not None:
            return found
    return None
