"""By what a model's vectors are compared, and how they are had as its modules leave them.

Every encoder gives unit rows, whose inner products are cosines. A model whose modules leave other lengths, and that is
compared by what depends on these, needs its vectors as they are; encoders that can give such have three names more
(:class:`UnscaledEncoder`). The functions here take any encoder, and of others what :meth:`TextEncoder.encode` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.models.protocol import TextEncoder

if TYPE_CHECKING:
    from typing import TypeGuard

Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]
"""sentence-transformers' names; distances are negated, so that greater is more alike."""
SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)


class UnscaledEncoder(TextEncoder, Protocol):
    """An encoder that also gives vectors as its model's modules leave them."""

    @property
    def similarity(self) -> Similarity:
        """By what the model says that its vectors are compared (``similarity_fn_name``)."""

    @property
    def normalises(self) -> bool:
        """Whether its modules leave vectors of length one, so that both kinds are the same."""

    def encode_unscaled(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> np.ndarray:
        """As :meth:`TextEncoder.encode`, but rows of the lengths that the modules leave; cut by ``dim`` and no more.

        Of a model that normalises they are those of ``encode``, unit length again where they are cut.
        """


def gives_unscaled(encoder: object) -> TypeGuard[UnscaledEncoder]:
    """Whether an encoder is an :class:`UnscaledEncoder`."""
    return hasattr(encoder, "encode_unscaled")


def similarity_of(encoder: TextEncoder) -> Similarity:
    """By what an encoder's vectors are compared: ``cosine``, where it does not say, and for ``dot`` of unit rows."""
    if not gives_unscaled(encoder) or (encoder.similarity == "dot" and encoder.normalises):
        return "cosine"
    return encoder.similarity


def require_cosine(encoder: TextEncoder, what: str) -> None:
    """Refuse an encoder whose vectors are compared otherwise than by cosine.

    Args:
        encoder: Makes the vectors.
        what: What is done by cosine only, in the plural with its verb: ``vectors are compared``.

    Raises:
        InputError: Naming its similarity.
    """
    found = similarity_of(encoder)
    if found != "cosine":
        name = getattr(encoder, "name", type(encoder).__name__)
        raise InputError(
            f"{name} says that its vectors are compared by {found}, and {what} by cosine", field="model",
            remedy="Where it is good by cosine, too, set similarity_fn_name in its config_sentence_transformers.json.",
        )  # fmt: skip


def leaves_unit_rows(encoder: TextEncoder) -> bool:
    """Whether an encoder has no other vectors than those of length one."""
    return not gives_unscaled(encoder) or encoder.normalises


def encode_unscaled(encoder: TextEncoder, texts: Sequence[str], **how: Any) -> npt.NDArray[np.float32]:
    """Vectors as the model's modules leave them, where the encoder can give these; else unit rows.

    Args:
        encoder: Makes them.
        texts: Of what.
        how: Further arguments of :meth:`TextEncoder.encode`.
    """
    encode = encoder.encode_unscaled if gives_unscaled(encoder) else encoder.encode
    return encode(texts, **how)


def encode_compared(encoder: TextEncoder, texts: Sequence[str], **how: Any) -> npt.NDArray[np.float32]:
    """Vectors that are compared by :func:`similarity_of`: unit rows for the cosine, which is then their inner product;
    for others as the model's modules leave them. Arguments as of :func:`encode_unscaled`."""
    if similarity_of(encoder) == "cosine":
        return encoder.encode(texts, **how)
    return encode_unscaled(encoder, texts, **how)
