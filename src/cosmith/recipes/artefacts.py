"""The outputs of a run's stages, loaded by the names that recipes use for them, and what else a stage works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cosmith.errors import InputError
from cosmith.recipes.graph import output_names, stage_of
from cosmith.recipes.references import Kind
from cosmith.recipes.run_folder import output_folder
from cosmith.recipes.schema import Recipe
from cosmith.recipes.stage_schemas import StsStage, TaskStage

if TYPE_CHECKING:
    from cosmith.data import Collection, Source, StsPairs, TextsRead
    from cosmith.data.documents import Document
    from cosmith.evaluation import Scores
    from cosmith.evaluation.tasks import EvaluationTask
    from cosmith.models import (
        CachedEncoder,
        CrossEncoder,
        Encoder,
        LateInteractionEncoder,
        ReadingEncoder,
        SparseEncoder,
        VectorCache,
    )

T = TypeVar("T")

_VECTOR_BYTES = 40 * 10**9
"""Of a run's vectors, which are removed when it has ended."""


class Artefacts:
    """Loads each output once; models are kept in memory between stages.

    Args:
        recipe: The recipe of the run.
        run: The run's folder.
    """

    def __init__(self, recipe: Recipe, run: Path) -> None:
        self.recipe, self.run = recipe, run
        self._kinds = output_names(recipe)
        self._loaded: dict[str, Any] = {}
        self._vectors: VectorCache | None = None

    def kind(self, name: str) -> Kind:
        """What a name stands for."""
        return self._kinds[name]

    def folder(self, name: str) -> Path:
        """Where the output of a stage lies."""
        stage, _, output = name.partition(".")
        return output_folder(self.run / stage, output, self._kinds[name])

    def forget(self, stage: str) -> None:
        """Drop what was loaded of a stage that is about to run again."""
        self._loaded = {name: value for name, value in self._loaded.items() if stage_of(name) != stage}

    def source(self, name: str) -> Source:
        """Training rows."""
        from cosmith.data import Source

        return self._once(name, lambda: Source.load(self.folder(name)))

    def collection(self, name: str) -> Collection:
        """A retrieval set; ``general-check`` is the one that comes with Cosmith."""
        from cosmith.data import Collection

        if name == "general-check":
            from cosmith.data import general_check_collection

            return self._once(name, general_check_collection)
        return self._once(name, lambda: Collection.read_beir(self.folder(name), name=name))

    def sts(self, name: str) -> StsPairs:
        """An sts set, with its stage's instruction, for which its file has no place."""
        from cosmith.data import read_sts

        stage = self.recipe.stages[name]
        assert isinstance(stage, StsStage)

        def load() -> StsPairs:
            return replace(read_sts(next(self.folder(name).iterdir())), instruction=stage.instruction)

        return self._once(name, load)

    def task(self, name: str) -> EvaluationTask:
        """A test set of any kind."""
        from cosmith.evaluation.tasks import task_of

        if self.kind(name) == "task":
            return self._once(name, lambda: self._read_task(name))
        return task_of(name, self.sts(name) if self.kind(name) == "sts" else self.collection(name))

    def _read_task(self, name: str) -> EvaluationTask:
        from cosmith.data.hub import is_hub_name
        from cosmith.data.tables import place_of
        from cosmith.evaluation.task_files import read_task

        stage = self.recipe.stages[name]
        assert isinstance(stage, TaskStage)
        path = stage.path
        if not is_hub_name(path):
            split = place_of(path).split
            path = f"{next(self.folder(name).iterdir())}" + (f":{split}" if split else "")
        return read_task(path, kind=stage.task, split=stage.split, name=name, instruction=stage.instruction).task

    def texts(self, name: str) -> list[str]:
        """Raw texts: those of a file, all that a source's rows use, or the documents of a collection."""
        return [text for _, text in self.named_texts(name)]

    def named_texts(self, name: str) -> Iterator[tuple[str, str]]:
        """The same with their ids, those of a source's rows with their numbers."""
        kind = self.kind(name)
        if kind == "collection":
            yield from self.collection(name).documents.items()
        elif kind == "source":
            import numpy as np

            source = self.source(name)
            numbers = np.unique(np.concatenate([source.query, source.positives, source.negatives]))
            yield from zip(map(str, numbers.tolist()), source.texts.take(numbers), strict=True)
        else:
            read = self._texts_read(name)
            yield from zip(read.ids, read.texts, strict=True)

    def documents(self, name: str) -> Iterator[Document]:
        """Raw texts as documents, one after another; only those of a file have titles, sections and links."""
        from cosmith.data.documents import Document, load_documents

        if self.kind(name) == "texts":
            yield from load_documents(self.folder(name) / "texts.jsonl")
        else:
            for given, text in self.named_texts(name):
                yield Document(given, text)

    def passages(self, name: str) -> dict[str, str]:
        """Texts that can be the answer to something, by their ids: those of a file, the documents of a collection, or
        the positives of a source's rows by their numbers."""
        kind = self.kind(name)
        if kind == "collection":
            return dict(self.collection(name).documents)
        if kind == "source":
            import numpy as np

            source = self.source(name)
            numbers = np.unique(source.positives)
            return dict(zip(map(str, numbers.tolist()), source.texts.take(numbers), strict=True))
        read = self._texts_read(name)
        return dict(zip(read.ids, read.texts, strict=True))

    def _texts_read(self, name: str) -> TextsRead:
        from cosmith.data import read_texts

        return self._once(name, lambda: read_texts(self.folder(name) / "texts.jsonl"))

    def encoder(self, name: str) -> Encoder:
        """A model; ``base`` is the recipe's."""
        return self._once(name, lambda: load_encoder(self.model_path(name), self.recipe.precision, name))

    def reranker(self, name: str) -> CrossEncoder:
        """A reranker."""
        return self._once(name, lambda: load_reranker(str(self.folder(name)), self.recipe.precision, name))

    def sparse_encoder(self, name: str) -> SparseEncoder:
        """A sparse encoder."""
        return self._once(name, lambda: load_sparse_encoder(str(self.folder(name)), self.recipe.precision, name))

    def late_interaction(self, name: str) -> LateInteractionEncoder:
        """A late-interaction model."""
        return self._once(name, lambda: load_late_interaction(str(self.folder(name)), self.recipe.precision, name))

    def remembering(self, name: str) -> CachedEncoder:
        """A model that does not encode a text twice in a run."""
        from cosmith.models import CachedEncoder, VectorCache

        if self._vectors is None:
            self._vectors = VectorCache(self.run / ".vectors" / "vectors.sqlite", disk_bytes=_VECTOR_BYTES)
        return CachedEncoder(self.encoder(name), self._vectors)

    def model_path(self, name: str) -> str:
        """What to hand to ``Encoder.load`` for a model."""
        return self.recipe.base if name == "base" else str(self.folder(name))

    def scores(self, name: str) -> list[Scores]:
        """All that an evaluate stage measured."""
        from cosmith.evaluation import Scores

        return self._once(name, lambda: [Scores.from_json(file) for file in sorted(self.folder(name).glob("*.json"))])

    def _once(self, name: str, load: Callable[[], T]) -> T:
        if name not in self._loaded:
            self._loaded[name] = load()
        loaded: T = self._loaded[name]
        return loaded


@dataclass(frozen=True)
class StageContext:
    """What a stage works with.

    Attributes:
        name: The stage's name.
        recipe: The whole recipe.
        folder: Where the stage leaves its outputs; may hold what an interrupted run of the same stage left.
        run: The folder of the run.
        seed: The stage's seed.
        artefacts: The outputs of the stages above.
    """

    name: str
    recipe: Recipe
    folder: Path
    run: Path
    seed: int
    artefacts: Artefacts

    def of_stage(self, error: InputError, stage: str | None = None) -> InputError:
        """The error with its field as a dotted key of the recipe.

        Args:
            error: What a setting led to.
            stage: Whose setting; this stage's where absent.
        """
        if (error.field or "").startswith("stages."):
            return error
        field = f"stages.{stage or self.name}" + (f".{error.field}" if error.field else "")
        return InputError(error.problem, path=error.path, field=field, remedy=error.remedy)


def load_encoder(path: str, precision: str, name: str | None = None) -> Encoder:
    """Load a model, or a file of word vectors, onto the accelerator where there is one, and call it ``name``."""
    from cosmith.models.loading import load_in_torch

    encoder = load_in_torch(path, precision=precision, device=_device())
    if name is not None:
        encoder.name = name
    return encoder


def load_reading_encoder(path: str, precision: str, name: str | None = None, runtime: str = "auto") -> ReadingEncoder:
    """Load a model to encode with, in torch as :func:`load_encoder` does or with the runtime it was exported for."""
    from cosmith.models.loading import runs_in_torch

    if runs_in_torch(path, runtime):
        return load_encoder(path, precision, name)
    from cosmith.models.runtimes import load_runtime

    encoder = load_runtime(path, runtime=runtime, precision=precision)
    encoder.name = name or encoder.name
    return encoder


def load_reranker(path: str, precision: str, name: str) -> CrossEncoder:
    """Load a cross-encoder, and call it ``name``."""
    from cosmith.models import CrossEncoder

    reranker = CrossEncoder.load(path, precision=precision, device=_device())  # type: ignore[arg-type]
    reranker.name = name
    return reranker


def load_sparse_encoder(path: str, precision: str, name: str) -> SparseEncoder:
    """Load a sparse encoder, or a masked language model as one, and call it ``name``."""
    from cosmith.models import SparseEncoder

    encoder = SparseEncoder.load(path, precision=precision, device=_device())  # type: ignore[arg-type]
    encoder.name = name
    return encoder


def load_late_interaction(path: str, precision: str, name: str) -> LateInteractionEncoder:
    """Load a late-interaction model, and call it ``name``."""
    from cosmith.models import LateInteractionEncoder

    encoder = LateInteractionEncoder.load(path, precision=precision, device=_device())  # type: ignore[arg-type]
    encoder.name = name
    return encoder


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
