"""What a run would ask and about what that would cost, without asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cosmith.data.passages import Passage
from cosmith.mining.synthesis.budget import Budget
from cosmith.mining.synthesis.chat import ChatRequest, estimated_tokens
from cosmith.mining.synthesis.personas import builtin_personas
from cosmith.mining.synthesis.prompting import Prompting, Question
from cosmith.mining.synthesis.rows import Assignment
from cosmith.mining.synthesis.settings import SynthesisSettings
from cosmith.mining.synthesis.synthesise import characters_of, distinct
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

_SHOWN = 3
_COUNTED = 1000
"""Passages whose prompts are counted; the rest is taken to be like them."""
_TOKENS_A_WORD = 1.4  # of English, about
_FRAME = 12  # the braces and keys of the JSON
_A_CONFIGURATION = 25


class _Choice(NamedTuple):
    """A configuration that stands for the one that the model would choose."""

    character: int
    question_type: str
    difficulty: str


@dataclass(frozen=True)
class Preview:
    """What would be asked.

    Attributes:
        prompts: (passage id, template's name, request) of all questions about the first three passages. Those that
            follow from an answer are shown as if the first of all that can be chosen had been.
        passages: How many passages there are.
        requests: About how many requests.
        input_tokens, output_tokens: About how many tokens.
        money: About what they would cost.
    """

    prompts: tuple[tuple[str, str, ChatRequest], ...]
    passages: int
    requests: int
    input_tokens: int
    output_tokens: int
    money: float

    def describe(self) -> str:
        """The estimate in one line."""
        line = f"{counted(self.passages, 'passage')}: about {counted(self.requests, 'request')},"
        line += f" {self.input_tokens:,} tokens read and {self.output_tokens:,} written"
        return f"{line}; {self.money:.4g} in money" if self.money else line


def preview(
    passages: Sequence[Passage],
    settings: SynthesisSettings,
    *,
    budget: Budget | None = None,
    encoder: TextEncoder | None = None,
    personas: Sequence[str] | None = None,
) -> Preview:
    """The prompts of three passages, and an estimate for all of them; nothing is asked. Arguments as of
    :func:`~cosmith.mining.synthesis.synthesise`.

    Tokens are estimated from bytes (see :func:`~cosmith.mining.synthesis.chat.estimated_tokens`), answers by what is
    asked for, without what a model thinks aloud; questions that are asked again are not counted.
    """
    chosen = distinct(passages)
    prompting = Prompting(settings)
    listed = list(personas) if personas is not None else builtin_personas()
    characters = characters_of(chosen[:_SHOWN], settings, encoder, listed)
    shown = [(passage.id, question.template.name, question.request)
             for number, passage in enumerate(chosen[:_SHOWN])
             for question, _ in _questions(prompting, passage, characters(number))]  # fmt: skip
    sample = chosen[:: max(1, len(chosen) // _COUNTED)]
    asked = [each for passage in sample for each in _questions(prompting, passage, characters(0))]
    scale = len(chosen) / len(sample)
    read = round(scale * sum(question.request.estimated_tokens() for question, _ in asked))
    written = round(scale * sum(tokens for _, tokens in asked))
    money = (budget or Budget()).money(read, written)
    return Preview(tuple(shown), len(chosen), round(scale * len(asked)), read, written, money)


def _questions(prompting: Prompting, passage: Passage, characters: Sequence[str]) -> list[tuple[Question, float]]:
    """The questions about a passage, and about how many tokens each answer has."""
    said = prompting.settings
    found: list[tuple[Question, float]] = []
    if prompting.configuring is None:
        assignments = prompting.assignments(passage)
    else:
        found.append((prompting.configuration(passage, characters), _FRAME + _A_CONFIGURATION * said.each))
        choice: Any = _Choice(1, said.types[0], said.difficulties[0])
        assignments = [prompting.query_assignment(passage, number, choice, characters) for number in range(said.each)]
    for number, made in enumerate(assignments):
        found.append((prompting.text(passage, made, number), _FRAME + _length(passage, made, said)))
    return found


def _length(passage: Passage, made: Assignment, settings: SynthesisSettings) -> float:
    """About how many tokens the text of an answer has."""
    if made.words:
        return _TOKENS_A_WORD * sum(settings.words) / 2
    return estimated_tokens(passage.text[: settings.most_characters])
