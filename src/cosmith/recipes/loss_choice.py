"""A loss as a recipe says it: a name, or a mapping of ``name`` and parameters."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from cosmith.errors import InputError


def _known(said: str | dict[str, Any]) -> str | dict[str, Any]:
    """Refuse a loss that does not exist, or not with these parameters; a ValueError, as validators raise."""
    from cosmith.losses import loss_spec

    named = {"name": said} if isinstance(said, str) else said
    if "name" not in named:
        raise ValueError("a loss with parameters needs a name, e.g. {name: triplet, margin: 0.3}")
    try:
        loss_spec(**named)
    except InputError as error:
        remedy = f" ({error.remedy.removesuffix('.')})" if error.remedy else ""
        raise ValueError(f"{error.problem}{remedy}") from error
    return said


LossChoice = Annotated[str | dict[str, Any], AfterValidator(_known)]
