"""Cosmith's encoders for the package ``mteb``: ``mteb.evaluate(wrap(encoder), tasks)``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.tasks.task import comparable
from cosmith.models.dimensions import checked_dim
from cosmith.models.similarity import encode_unscaled, leaves_unit_rows, similarity_of
from cosmith.retrieval.makers import model_name
from cosmith.retrieval.similarities import paired_similarities, similarities

if TYPE_CHECKING:
    from cosmith.models import TextEncoder


class MtebEncoder:
    """An encoder as ``mteb`` calls one (its ``EncoderProtocol``); made by :func:`wrap`.

    Args:
        encoder: Makes the vectors.
        meta: What mteb files its results under.
        dim: Only this many numbers of each vector.
        instructions: Task name → instruction, in place of the task's own.
    """

    def __init__(
        self, encoder: TextEncoder, meta: Any, *, dim: int | None = None, instructions: Mapping[str, str] | None = None
    ) -> None:
        self.encoder, self.mteb_model_meta = encoder, meta
        self.compared_by = similarity_of(encoder)
        self._dim, self._instructions = dim, dict(instructions or {})
        self._instructed = takes_instruction(encoder)

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any = None,
        hf_split: str = "",
        hf_subset: str = "",
        prompt_type: Any = None,
        **options: Any,
    ) -> npt.NDArray[np.float32]:
        """Encode the texts of some batches.

        Args:
            inputs: Batches with the key ``text``.
            task_metadata: Of the task; its ``prompt`` is the instruction, for models that take one.
            hf_split, hf_subset: Of the task; of no effect.
            prompt_type: ``query``, ``document`` or None for texts that are all alike. These have no prompt, or that of
                queries where there is an instruction, as in Cosmith's own tasks and in training.
            options: mteb's, such as a batch size; of no effect, since batches are made by length here.

        Returns:
            float32 ``[texts, dim]``, as the model's modules leave them; unit rows where an encoder has no others.

        Raises:
            InputError: When a vector holds what is not finite, which mteb would score without a word.
        """
        texts = [text for batch in inputs for text in batch["text"]]
        kind = None if prompt_type is None else str(getattr(prompt_type, "value", prompt_type))
        told = self._instruction(task_metadata, kind) if self._instructed else ""
        prompt = kind or ("query" if told else None)
        vectors = encode_unscaled(self.encoder, texts, prompt=prompt, instruction=told, dim=self._dim)
        return comparable(vectors, texts, self.encoder)

    def _instruction(self, task_metadata: Any, kind: str | None) -> str:
        """What is told of a task: by the caller, or by the task itself, which may tell it of queries only."""
        if (own := self._instructions.get(str(getattr(task_metadata, "name", "")))) is not None:
            return own
        said = getattr(task_metadata, "prompt", None)
        if isinstance(said, Mapping):
            said = said.get(kind or "query")
        return str(said or "")

    def similarity(self, first: Any, second: Any) -> Any:
        """The model's similarity of each two vectors: ``[n, d]``, ``[m, d]`` → tensor ``[n, m]``."""
        from mteb import similarity_functions as theirs

        if self.compared_by == "manhattan":  # which mteb has no function for
            return _tensor(similarities(_rows(first), _rows(second), "manhattan"))
        functions = {"cosine": theirs.cos_sim, "dot": theirs.dot_score, "euclidean": theirs.euclidean_sim}
        return functions[self.compared_by](first, second)

    def similarity_pairwise(self, first: Any, second: Any) -> Any:
        """The model's similarity of the vectors in each row: ``[n, d]``, ``[n, d]`` → tensor ``[n]``."""
        from mteb import similarity_functions as theirs

        if self.compared_by == "manhattan":
            return _tensor(paired_similarities(_rows(first), _rows(second), "manhattan"))
        functions = {"cosine": theirs.pairwise_cos_sim, "dot": theirs.pairwise_dot_score,
                     "euclidean": theirs.pairwise_euclidean_sim}  # fmt: skip
        return functions[self.compared_by](first, second)


def _rows(vectors: Any) -> npt.NDArray[np.float32]:
    return np.atleast_2d(np.asarray(vectors, dtype=np.float32))


def _tensor(found: npt.NDArray[Any]) -> Any:
    import torch

    return torch.from_numpy(found)


def wrap(
    encoder: TextEncoder,
    *,
    name: str | None = None,
    dim: int | None = None,
    instructions: Mapping[str, str] | None = None,
) -> MtebEncoder:
    """An encoder that can be handed to ``mteb.evaluate``.

    mteb keeps results by a model's name and revision; the revision is the encoder's fingerprint, so that a model that
    was trained on never gets the results of what it was.

    Args:
        encoder: Makes the vectors.
        name: What mteb is to call it, ``OWNER/NAME`` or ``NAME``; by default its own name.
        dim: Compare only this many numbers of each vector.
        instructions: Task name → instruction, where another than the task's own is to be told. Of no effect for models
            whose prompts have no place for one.

    Raises:
        InputError: mteb is not installed, or ``dim`` is too large.
    """
    try:
        from mteb.models import ModelMeta
        from mteb.models.model_meta import ScoringFunction
    except ImportError as error:
        raise InputError(
            "the package mteb is not installed", field="mteb", remedy='Run: pip install "cosmith[mteb]"'
        ) from error
    checked_dim(dim, encoder.dimension)
    called = name or model_name(encoder)
    meta = ModelMeta.create_empty(
        overwrites={
            "name": called if "/" in called else f"cosmith/{called}",
            "revision": "-".join(map(str, _revision(encoder, dim))),
            "embed_dim": dim or encoder.dimension,
            "max_tokens": encoder.max_length,
            "similarity_fn_name": ScoringFunction(similarity_of(encoder)),
            "use_instructions": takes_instruction(encoder),
            "modalities": ["text"],
        }
    )
    return MtebEncoder(encoder, meta, dim=dim, instructions=instructions)


def _revision(encoder: TextEncoder, dim: int | None) -> Iterator[object]:
    """What results depend on; of a model that leaves other lengths than one, earlier releases gave unit rows."""
    yield encoder.fingerprint()
    if not leaves_unit_rows(encoder):
        yield f"unscaled-{similarity_of(encoder)}"
    if dim is not None:
        yield dim


def takes_instruction(encoder: TextEncoder) -> bool:
    """Whether one of a model's prompts has a place for an instruction."""
    prompts = getattr(getattr(encoder, "encoder", encoder), "prompts", None)  # a CachedEncoder's are its encoder's
    return isinstance(prompts, Mapping) and any("{task}" in str(text) for text in prompts.values())
