"""`like: first` in a stage: what the stage `first` says, this one says as well, where it says nothing itself.

It is resolved after all overrides, so that what is overridden in the one is so in the other; a stage's own keys, said
in the file or as overrides, go before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmith.errors import InputError, nearest
from cosmith.recipes.document import Document

LIKE = "like"


def with_inherited(value: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """The recipe's value with the settings that stages take from others written out, and no `like` any more.

    Raises:
        InputError: A stage is like none that stands above it, or of another kind than that one.
    """
    stages = value.get("stages")
    if not isinstance(stages, dict):
        return dict(value)
    resolved: dict[str, Any] = {}
    for name, own in stages.items():
        resolved[name] = _resolved(name, own, resolved, document) if isinstance(own, dict) and LIKE in own else own
    return {**value, "stages": resolved}


def _resolved(name: str, own: Mapping[str, Any], above: Mapping[str, Any], document: Document) -> dict[str, Any]:
    like = own[LIKE]
    where: dict[str, Any] = {
        "path": document.path, "line": document.line(("stages", name, LIKE)), "field": f"stages.{name}.{LIKE}",
    }  # fmt: skip
    if not isinstance(like, str) or not isinstance(above.get(like), dict):
        remedy = nearest(str(like), above) if above else "It is the first one, and must say all by itself."
        raise InputError(f"there is no stage {like!r} above this one", **where, remedy=remedy)
    if own.get("kind", above[like].get("kind")) != above[like].get("kind"):
        problem = f"{like!r} is of the kind {above[like].get('kind')!r}, this stage of the kind {own['kind']!r}"
        raise InputError(problem, **where, remedy="A stage takes settings from one of its own kind; leave `kind` out.")
    return {**above[like], **{key: said for key, said in own.items() if key != LIKE}}
