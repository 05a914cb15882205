"""Which questions are put about a passage: the templates, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import xxhash

from cosmith.data.passages import Passage
from cosmith.mining.synthesis.chat import ChatRequest
from cosmith.mining.synthesis.checks import language_name
from cosmith.mining.synthesis.rows import Assignment
from cosmith.mining.synthesis.settings import DIFFICULTIES, KEYWORDS, QUESTION_TYPES, SynthesisSettings
from cosmith.mining.synthesis.shapes import Shape, configuration_shape, json_schema, text_shape
from cosmith.mining.synthesis.templates import KINDS, Template

_ITS_OWN_LANGUAGE = "the language of the passage"


@dataclass(frozen=True)
class Question:
    """A request, what its answer shall be, and the template that it was made with."""

    request: ChatRequest
    shape: Shape
    template: Template


class Prompting:
    """Makes the questions that some settings ask for.

    Args:
        settings: What shall be written.
    """

    def __init__(self, settings: SynthesisSettings) -> None:
        self.settings = settings
        *before, self.writing = settings.templates()
        self.configuring = before[0] if before else None

    def configuration(self, passage: Passage, characters: Sequence[str]) -> Question:
        """Which characters, types and difficulties suit a passage: the first of the two steps of queries.

        Args:
            passage: The passage.
            characters: Who might ask, the likeliest first.
        """
        assert self.configuring is not None
        said = self.settings
        values = {
            "passage": self._shown(passage),
            "characters": "\n".join(f"{number}. {each}" for number, each in enumerate(characters, start=1)),
            "types": _listed(said.types, QUESTION_TYPES),
            "difficulties": _listed(said.difficulties, DIFFICULTIES),
            "count": str(said.each),
        }
        shape = configuration_shape(len(characters), said.types, said.difficulties)
        return _question(self.configuring, values, shape)

    def query_assignment(
        self, passage: Passage, number: int, configuration: Any, characters: Sequence[str]
    ) -> Assignment:
        """What the query number ``number`` shall be, by a configuration that was chosen for it."""
        kind = configuration.question_type
        return Assignment(
            language=self._language(passage, number),
            words=self._words(passage, number, KEYWORDS if kind == "keywords" else self.settings.words),
            character=characters[configuration.character - 1],
            question_type=kind,
            difficulty=configuration.difficulty,
        )

    def assignments(self, passage: Passage) -> list[Assignment]:
        """What shall be written about a passage where nothing has to be chosen first."""
        said = self.settings
        if said.product == "translations":
            return [Assignment(language=each) for each in said.languages]
        if said.product == "classes":
            return [
                Assignment(self._language(passage, number), self._words(passage, number, said.words), label=label)
                for number, label in enumerate(said.classes)
            ]
        return [Assignment(language=self._language(passage, number)) for number in range(said.each)]

    def text(self, passage: Passage, made: Assignment, number: int) -> Question:
        """The question whose answer is a text.

        Args:
            passage: What it is about.
            made: What it shall be.
            number: Which text of the passage; the same question again is another one (see :class:`ChatRequest`).
        """
        known = {
            "passage": self._shown(passage),
            "language": language_name(made.language) or _ITS_OWN_LANGUAGE,
            "words": str(made.words),
            "character": made.character,
            "type": _explained(made.question_type, QUESTION_TYPES),
            "difficulty": _explained(made.difficulty, DIFFICULTIES),
            "label": made.label,
            "labels": "\n".join(f"* {each}" for each in self.settings.classes),
        }
        attempt = number * self.settings.tries if self.settings.product == "paraphrases" else 0
        return _question(self.writing, known, self._text_shape, attempt)

    @cached_property
    def _text_shape(self) -> Shape:
        return text_shape(KINDS[self.writing.kind].answer)

    def _shown(self, passage: Passage) -> str:
        return passage.text[: self.settings.most_characters]

    def _language(self, passage: Passage, number: int) -> str:
        languages = self.settings.languages
        return languages[self._drawn(passage, "language", number) % len(languages)] if languages else ""

    def _words(self, passage: Passage, number: int, between: tuple[int, int]) -> int:
        least, most = between
        return least + self._drawn(passage, "words", number) % (most - least + 1)

    def _drawn(self, passage: Passage, what: str, number: int) -> int:
        """A number by chance that depends on the seed and the passage's text alone, whatever stands around it."""
        said = f"{self.settings.seed} {what} {number} {passage.text}"
        return xxhash.xxh3_64_intdigest(said.encode("utf-8", "surrogatepass"))


def _question(template: Template, values: Mapping[str, str], shape: Shape, attempt: int = 0) -> Question:
    request = ChatRequest(
        prompt=template.fill(values),
        system=template.system,
        schema_name=template.kind,
        schema=json_schema(shape),
        max_tokens=template.max_tokens,
        temperature=template.temperature,
        attempt=attempt,
    )
    return Question(request, shape, template)


def _listed(names: Sequence[str], meanings: Mapping[str, str]) -> str:
    return "\n".join(f"* {_explained(name, meanings)}" for name in names)


def _explained(name: str, meanings: Mapping[str, str]) -> str:
    return f"{name}: {meanings[name]}" if name in meanings else name
