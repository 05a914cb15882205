"""A loss as a recipe says it: a name, or a mapping of ``name`` and parameters."""

from __future__ import annotations

from typing import Any

from cosmith.errors import InputError


def check_loss(said: str | dict[str, Any]) -> None:
    """Refuse a loss that does not exist, or not with these parameters.

    Raises:
        ValueError: As pydantic's validators do.
    """
    from cosmith.losses import loss_spec

    named = {"name": said} if isinstance(said, str) else said
    if "name" not in named:
        raise ValueError("a loss with parameters needs a name, e.g. {name: triplet, margin: 0.3}")
    try:
        loss_spec(**named)
    except InputError as error:
        remedy = f" ({error.remedy.removesuffix('.')})" if error.remedy else ""
        raise ValueError(f"{error.problem}{remedy}") from error
