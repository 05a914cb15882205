"""Errors told by the options of a command, in place of the arguments of the function behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from cosmith.errors import InputError


def options_of(*arguments: str) -> dict[str, str]:
    """The options that are called as arguments are: ``max_score`` → ``--max-score``."""
    return {name: f"--{name.replace('_', '-')}" for name in arguments}


@contextmanager
def told_by_option(options: Mapping[str, str]) -> Iterator[None]:
    """Tell of a wrong argument by the option that gives it, and of all else as it is.

    Args:
        options: Argument → option.
    """
    try:
        yield
    except InputError as error:
        option = options.get(error.field or "")
        if option is None:
            raise
        raise InputError(
            error.problem, path=error.path, line=error.line, field=option, remedy=error.remedy
        ) from error  # fmt: skip
