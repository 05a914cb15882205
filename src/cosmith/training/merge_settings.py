"""Which settings of a merge a method reads, for recipes and the command line alike."""

from __future__ import annotations

from collections.abc import Iterable

from cosmith.errors import InputError

# With another method they would change nothing, and nobody would know.
READ_BY = {"density": ("ties",), "scale": ("task-arithmetic", "ties"), "grid": ("interpolation",)}


def require_read(method: str, said: Iterable[str], *, prefix: str = "") -> None:
    """Refuse a setting that the method does not read.

    Args:
        method: How to merge.
        said: Names of settings, among those of :data:`READ_BY`.
        prefix: What stands before such a name where it is said: ``--`` on the command line.

    Raises:
        InputError: It would change nothing.
    """
    for name in said:
        if method not in READ_BY[name]:
            raise InputError(
                f"{method} has no {name}",
                field=f"{prefix}{name}",
                remedy=f"It belongs to {' and '.join(READ_BY[name])}: leave it out, or take another method.",
            )


def settings_read(method: str) -> frozenset[str]:
    """Those of :data:`READ_BY` that the method reads."""
    return frozenset(name for name, methods in READ_BY.items() if method in methods)
