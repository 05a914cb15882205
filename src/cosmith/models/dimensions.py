"""How many numbers of a vector are kept."""

from __future__ import annotations

from cosmith.errors import InputError


def checked_dim(dim: int | None, whole: int) -> int:
    """How long the vectors are that a caller asks for; None: whole.

    Raises:
        InputError: When the model's vectors are not that long.
    """
    if dim is not None and not 1 <= dim <= whole:
        raise InputError(f"{dim} is not between 1 and the model's {whole}", field="dim", remedy="Ask for fewer.")
    return whole if dim is None else dim
