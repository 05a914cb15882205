"""`cosmith data templates`: the prompts that ask a language model for training rows."""

from __future__ import annotations

from typing import Annotated

import typer

from cosmith.cli.manner import manner_of
from cosmith.errors import InputError, nearest


def templates(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Print this one, to be copied and changed.")] = None,
) -> None:
    """List the prompts of `cosmith data synthesise`, or print one.

    Example: cosmith data templates query > my-query.md
    """
    from cosmith.mining.synthesis import KINDS, builtin_templates

    known = builtin_templates()
    manner = manner_of(context)
    if name is None:
        width = max(map(len, known))
        entries = [
            {
                "name": each.name,
                "kind": each.kind,
                "description": each.description,
                "placeholders": dict(KINDS[each.kind].placeholders),
            }
            for each in known.values()
        ]
        lines = [f"{each.name.ljust(width)}  {each.description}" for each in known.values()]
        manner.result("\n".join(lines), {"templates": entries})
        return
    if name not in known:
        raise InputError(f"there is no template {name!r}", field="NAME", remedy=nearest(name, known))
    manner.result(known[name].text.rstrip("\n"), {"name": name, "text": known[name].text})
