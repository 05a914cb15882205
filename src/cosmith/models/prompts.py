"""Prompts: what a model wants to read before a query or a document."""

from __future__ import annotations

from collections.abc import Mapping

from cosmith.errors import InputError, nearest

# Names that every caller may use; a model without such a prompt reads the bare text.
_ALWAYS = ("query", "document")


def fill_prompt(prompts: Mapping[str, str], name: str | None, instruction: str) -> str:
    """The text to put before each text.

    Args:
        prompts: The model's prompts by name. ``{task}`` in one is replaced by the instruction, and ``{query}``
            or ``{text}`` at its end (where the text itself comes) is removed.
        name: Which; ``None`` for no prompt.
        instruction: What takes the place of ``{task}``.

    Raises:
        InputError: When the model has no prompt of that name.
    """
    if name is None:
        return ""
    if name not in prompts:
        if name in _ALWAYS:
            return ""
        raise InputError(
            f"the model has no prompt {name!r}", field="prompt", remedy=nearest(name, {*prompts, *_ALWAYS})
        )
    return prompts[name].removesuffix("{query}").removesuffix("{text}").replace("{task}", instruction)
