"""A loss of the user's own, computed."""

from __future__ import annotations

from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses.arguments import arguments
from cosmith.losses.custom_spec import CustomSpec
from cosmith.losses.structure import StepStructure


def custom(embeddings: Tensor, structure: StepStructure, spec: CustomSpec, *, rows: slice | None = None) -> Tensor:
    """The user's function of the whole step; of a rank its share, since nobody knows whether it falls apart into rows.

    Args:
        embeddings: [U, D] unit rows.
        structure: The step, with what ``spec.needs`` names.
        spec: The function.
        rows: A rank's share of the rows; the losses and gradients of disjoint shares add up to the whole.

    Returns:
        A scalar.

    Raises:
        InputError: When the shapes do not fit each other, ``rows`` is no contiguous share, or the function gives
            something else than a scalar of the embeddings.
    """
    values, structure, share = arguments(embeddings, structure, rows)
    loss = spec.function(values, structure)
    if not isinstance(loss, Tensor) or loss.ndim or not loss.is_floating_point():
        found = f"a tensor {list(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else repr(loss)
        raise InputError(
            f"the loss {spec.name!r} gives {found}", field="loss", remedy="Return a scalar tensor, e.g. the mean."
        )
    if values.requires_grad and not loss.requires_grad:
        raise InputError(
            f"the loss {spec.name!r} has no gradient",
            field="loss",
            remedy="Compute it of the embeddings, without detach(), item() or numpy().",
        )
    return share.fraction * loss
