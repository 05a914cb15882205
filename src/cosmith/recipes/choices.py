"""What a recipe chooses by name, refused where it does not exist, or not with these settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from cosmith.errors import InputError

Said = TypeVar("Said")


def _known(made_of: Callable[[Said], object]) -> AfterValidator:
    """A validator that keeps what is said where something can be made of it; else a ValueError, as validators raise.

    Args:
        made_of: Makes it, or raises an ``InputError``. It imports what it needs when it is called.
    """

    def checked(said: Said) -> Said:
        try:
            made_of(said)
        except InputError as error:
            remedy = f" ({error.remedy.removesuffix('.')})" if error.remedy else ""
            raise ValueError(f"{error.problem}{remedy}") from error
        return said

    return AfterValidator(checked)


def _loss(said: str | dict[str, Any]) -> object:
    from cosmith.losses import loss_spec

    named = {"name": said} if isinstance(said, str) else said
    if "name" not in named:
        raise ValueError("a loss with parameters needs a name, e.g. {name: triplet, margin: 0.3}")
    return loss_spec(**named)


def _weak_pairs(said: str | dict[str, Any]) -> object:
    from cosmith.data.weak_supervision import form_named

    return form_named(said)


def _stored(said: str) -> object:
    from cosmith.retrieval.compressed import parse_form

    return parse_form(said)


LossChoice = Annotated[str | dict[str, Any], _known(_loss)]
"""A name, or a mapping of ``name`` and parameters."""
WeakPairChoice = Annotated[str | dict[str, Any], _known(_weak_pairs)]
"""A form of weak pairs: a name, or a mapping of ``name`` and settings."""
VectorFormChoice = Annotated[str, _known(_stored)]
"""A form of vectors as :func:`cosmith.retrieval.compressed.parse_form` reads it."""
