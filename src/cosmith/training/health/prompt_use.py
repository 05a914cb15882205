"""Which of a model's prompts a Source leaves unread, told from their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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

    def describe(self, source: str, prompts: Mapping[str, str]) -> str:
        """What the Source of this name asks for instead, a sentence."""
        own = prompts.get(self.read)
        read = f"which is {own!r}" if own else "which the model does not have"
        texts = "queries" if self.role == "query" else "documents"
        return (
            f"{source} asks for the prompt {self.read!r}, {read}, before its {texts}; "
            f"{self.name!r} is {prompts[self.name]!r}."
        )


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


def listed(names: Iterable[str]) -> str:
    """Names in quotation marks, in a sentence."""
    return " and ".join(map(repr, names))


def _prompts_of(prompts: Mapping[str, str], role: Role) -> list[str]:
    """The names of the prompts that are there for a role, the likeliest first."""
    words = {name: set(re.split(r"[^a-z0-9]+", name.lower())) for name, text in prompts.items() if text}
    names = [name for name, parts in words.items() if parts & _WORDS[role]]
    return sorted(names, key=lambda name: (name.lower() != role, not words[name] & _OF_SEARCH))
