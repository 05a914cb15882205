"""Which of a model's prompts a Source leaves unread, told from their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["query", "document"]

# Models name their prompts as they like: search_query, s2p_query, Query, Retrieval-passage.
_WORDS: Mapping[Role, frozenset[str]] = {
    "query": frozenset({"query", "queries", "question", "questions"}),
    "document": frozenset({"document", "documents", "doc", "docs", "passage", "passages", "corpus"}),
}
_OF_SEARCH = frozenset({"search", "retrieval", "s2p"})


@dataclass(frozen=True)
class UnreadPrompt:
    """A prompt that a model has for a role, and that a Source does not put before the texts of that role.

    Attributes:
        role: Whose prompt it is.
        name: Its name in the model.
        read: The name of the prompt that the Source reads them with.
    """

    role: Role
    name: str
    read: str


def unread_prompts(prompts: Mapping[str, str], source: Mapping[str, Any]) -> list[UnreadPrompt]:
    """What a Source leaves out: the role's prompt is another one, or there is none of the name that it asks for.

    A prompt that the Source asks for and that is of neither role (``classification``) is taken for what is wanted; and
    where a task's texts are all of one kind, so is every other.

    Args:
        prompts: The model's, by name.
        source: Of :attr:`cosmith.training.step.Job.facts`: its ``task``, and ``prompts``, the two names of its roles.
    """
    found = []
    searches = source["task"] == "retrieval"
    roles: tuple[Role, ...] = ("query", "document") if searches else ("query",)
    for role, read in zip(roles, source["prompts"], strict=False):
        known = _prompts_of(prompts, role)
        other: Role = "document" if role == "query" else "query"
        wrong = not prompts.get(read) or (searches and read in _prompts_of(prompts, other))
        if known and wrong:
            found.append(UnreadPrompt(role, known[0], read))
    return found


def _prompts_of(prompts: Mapping[str, str], role: Role) -> list[str]:
    """The names of the prompts that are there for a role, the likeliest first."""
    words = {name: set(re.split(r"[^a-z0-9]+", name.lower())) for name, text in prompts.items() if text}
    names = [name for name, parts in words.items() if parts & _WORDS[role]]
    return sorted(names, key=lambda name: (name.lower() != role, not words[name] & _OF_SEARCH))
