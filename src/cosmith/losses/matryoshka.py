"""Matryoshka training: one loss on several prefixes of the embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses.views import shares_of, summed


def nested(
    loss: Callable[[Tensor], Tensor], dims: Sequence[int], weights: Sequence[float] | None = None
) -> Callable[[Tensor], Tensor]:
    """A loss that also holds for the first d dimensions of the embeddings.

    The weighted sum over ``dims`` of ``loss`` on the prefixes, each renormalised to unit length: Matryoshka
    representation learning (arXiv:2205.13147, Eq. 1). It composes with every loss of embeddings, e.g.
    ``nested(partial(contrastive, structure=structure, spec=preset("default")), [384, 128, 64])``.

    Args:
        loss: [U, d] unit rows → scalar.
        dims: The sizes of the prefixes; the full size is one of them only if it is named.
        weights: As many, finite and not negative; None: 1 each.

    Returns:
        A function of embeddings [U, D] of unit rows. It raises an InputError when one of ``dims`` exceeds D.

    Raises:
        InputError: When ``dims`` is empty, repeats, or has a number below 1, or ``weights`` do not fit.
    """
    sizes = tuple(dims)
    if not sizes:
        raise InputError("no dimensions are given", field="dims", remedy="Give at least one, e.g. [384, 128].")
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"{size!r} is no number of dimensions", field="dims", remedy="Give integers from 1 up.")
    if len(set(sizes)) < len(sizes):
        raise InputError(f"a size stands twice in {list(sizes)}", field="dims", remedy="Name each once.")
    shares = shares_of(weights, len(sizes), "dims")

    def of_prefixes(embeddings: Tensor) -> Tensor:
        width = embeddings.shape[1]
        if max(sizes) > width:
            raise InputError(
                f"dimension {max(sizes)} is larger than the model's {width}",
                field="dims",
                remedy=f"Give at most {width}.",
            )
        return summed(loss, [partial(_prefix, size=size) for size in sizes], shares, embeddings)

    return of_prefixes


def _prefix(embeddings: Tensor, size: int) -> Tensor:
    """The first ``size`` dimensions as unit rows; the whole embedding is one already."""
    if size == embeddings.shape[1]:
        return embeddings
    return torch.nn.functional.normalize(embeddings[:, :size], dim=1)
