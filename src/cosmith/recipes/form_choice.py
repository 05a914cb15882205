"""A form of weak pairs as a recipe says it: a name, or a mapping of ``name`` and settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from cosmith.errors import InputError


def _known(said: str | dict[str, Any]) -> str | dict[str, Any]:
    """Refuse a form that does not exist, or not with these settings; a ValueError, as validators raise."""
    from cosmith.data.weak_supervision import form_named

    try:
        form_named(said)
    except InputError as error:
        remedy = f" ({error.remedy.removesuffix('.')})" if error.remedy else ""
        raise ValueError(f"{error.problem}{remedy}") from error
    return said


FormChoice = Annotated[str | dict[str, Any], AfterValidator(_known)]
