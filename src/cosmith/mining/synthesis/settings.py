"""What shall be written, about what, and how it is varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from cosmith.data import Task
from cosmith.errors import InputError, nearest
from cosmith.mining.synthesis.templates import Template, load_template

Product = Literal["queries", "paraphrases", "translations", "classes"]

QUESTION_TYPES: Mapping[str, str] = {
    "keywords": "a few words as typed into a search box, no sentence",
    "acquire_knowledge": "a question that asks for a fact, an explanation or a way to do something",
    "summary": "a request for an overview of what the passage as a whole says",
    "yes_or_no": "a question that is answered by yes or no, with the reason in the passage",
    "background": "a question or situation for which the passage is useful background without being the direct answer",
}
"""The question types of Qwen3-Embedding (arXiv:2506.05176, appendix), with their meaning for the model."""

DIFFICULTIES: Mapping[str, str] = {
    "high_school": "everyday words, no special knowledge",
    "university": "the words of someone who has studied the subject",
    "phd": "the words and depth of a specialist",
}
"""The difficulties of the same, with their meaning."""

WRITING: Mapping[Product, str] = {
    "queries": "query",
    "paraphrases": "paraphrase",
    "translations": "translation",
    "classes": "classification",
}
"""The kind of template that writes each product."""

TASKS: Mapping[Product, Task] = {
    "queries": "retrieval", "paraphrases": "pair", "translations": "bitext", "classes": "classification",
}  # fmt: skip
"""What the rows of each product teach."""

KEYWORDS = (2, 6)
"""How many words a query of the type ``keywords`` has."""


@dataclass(frozen=True)
class SynthesisSettings:
    """What shall be written.

    Attributes:
        product: ``queries`` that passages answer, ``paraphrases`` of them, their ``translations``, or texts of given
            ``classes`` in their manner.
        each: How many a passage; of translations one for each language, of classes one for each class.
        languages: Names or codes of the languages to write in, one of which is drawn for each text; none: that of the
            passage. Translations are into all of them.
        words: The least and the most words of a query or of a text of a class, drawn evenly.
        types: The question types that may be chosen, of :data:`QUESTION_TYPES`.
        difficulties: The difficulties that may be chosen, of :data:`DIFFICULTIES`.
        characters: How many personas a passage has to choose from.
        classes: What the classes are called.
        tries: How often something is asked for that is not answered as asked for.
        most_characters: What is longer of a passage is not shown to the model; the row has all of it.
        writing_template: Writes the text: a built-in template's name or a file; None: the built-in one.
        configuration_template: Chooses character, type and difficulty of queries; likewise.
        seed: Of what is drawn.

    Raises:
        InputError: When a value is not possible, or a template cannot be used.
    """

    product: Product = "queries"
    each: int = 1
    languages: tuple[str, ...] = ()
    words: tuple[int, int] = (5, 20)
    types: tuple[str, ...] = tuple(QUESTION_TYPES)
    difficulties: tuple[str, ...] = tuple(DIFFICULTIES)
    characters: int = 5
    classes: tuple[str, ...] = ()
    tries: int = 2
    most_characters: int = 8000
    writing_template: str | None = None
    configuration_template: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        products = get_args(Product)
        if self.product not in products:
            raise InputError(f"cannot make {self.product!r}", field="make", remedy=nearest(str(self.product), products))
        for name in ("each", "characters", "tries", "most_characters"):
            if getattr(self, name) < 1:
                raise InputError(f"is {getattr(self, name)}", field=name, remedy="Give at least 1.")
        if not (len(self.words) == 2 and 1 <= self.words[0] <= self.words[1]):
            raise InputError(
                f"is {list(self.words)}", field="words", remedy="Give the least and the most, e.g. 5 and 20."
            )
        for name, known in (("types", QUESTION_TYPES), ("difficulties", DIFFICULTIES)):
            said = getattr(self, name)
            if unknown := [each for each in said if each not in known]:
                raise InputError(f"{unknown[0]!r} is unknown", field=name, remedy=nearest(unknown[0], known))
            if not said:
                raise InputError("none is left to choose", field=name, remedy=f"Name some of: {', '.join(known)}.")
        if self.product == "translations" and not self.languages:
            raise InputError("no language to translate into", field="languages", remedy="Name one or several.")
        if (self.product == "classes") != bool(self.classes):
            problem = "no class is named" if not self.classes else f"{self.product} have no classes"
            raise InputError(
                problem, field="classes", remedy="Classes go with the product classes, which needs two or more of them."
            )
        if self.product == "classes" and len(set(self.classes)) < 2:
            raise InputError("one class is none", field="classes", remedy="Name two or more.")
        if self.product != "queries" and self.configuration_template is not None:
            raise InputError(f"{self.product} have no configuration", field="configuration_template",
                             remedy="Leave it out.")  # fmt: skip
        self.templates()

    def templates(self) -> tuple[Template, ...]:
        """The templates in the order in which they are used, the writing one last.

        Raises:
            InputError: When one is missing or for something else.
        """
        kind = WRITING[self.product]
        found = [self._template("writing_template", kind)]
        if self.product == "queries":
            found.insert(0, self._template("configuration_template", "configuration"))
        return tuple(found)

    def _template(self, field: str, kind: str) -> Template:
        try:
            return load_template(getattr(self, field) or kind, kind)
        except InputError as error:
            where = error.field or field
            raise InputError(error.problem, path=error.path, line=error.line, field=where,
                             remedy=error.remedy) from error  # fmt: skip
