"""Prompts as files that a user copies and changes: Markdown with a head in YAML.

The head says what the prompt is for (``kind``) and how it is asked; the rest is the user's message, in which
``{passage}`` and its like are filled in. Braces that shall stand are doubled, ``{{``. Nothing else can be written
there: no expressions, attributes or formats, so that a template from elsewhere does nothing but text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Any

import xxhash
import yaml

from cosmith.errors import InputError, nearest


@dataclass(frozen=True)
class TemplateKind:
    """What a prompt of a kind is given, and what its answer is called.

    Attributes:
        placeholders: What may be filled in, with its meaning.
        required: What must be, or the answer would have nothing to do with the text.
        answer: The key of the text in the answer's JSON.
    """

    placeholders: Mapping[str, str]
    required: tuple[str, ...]
    answer: str


_PASSAGE = {"passage": "the text that the answer is about"}
_LANGUAGE = {"language": "the language to write in"}
_WORDS = {"words": "about how many words to write"}
KINDS: Mapping[str, TemplateKind] = {
    "configuration": TemplateKind(
        _PASSAGE | {
            "characters": "a numbered list of characters to choose from",
            "types": "a list of question types with their meaning",
            "difficulties": "a list of difficulties with their meaning",
            "count": "how many configurations to choose",
        },
        ("passage", "characters", "types", "difficulties", "count"),
        "configurations",
    ),
    "query": TemplateKind(
        _PASSAGE | _LANGUAGE | _WORDS | {
            "character": "who asks",
            "type": "the question type with its meaning",
            "difficulty": "the difficulty with its meaning",
        },
        ("passage",),
        "query",
    ),
    "paraphrase": TemplateKind(_PASSAGE | _LANGUAGE, ("passage",), "paraphrase"),
    "translation": TemplateKind(_PASSAGE | _LANGUAGE, ("passage", "language"), "translation"),
    "classification": TemplateKind(
        _PASSAGE | _LANGUAGE | _WORDS | {"label": "the class of the text to write", "labels": "all classes, as a list"},
        ("passage", "label"),
        "text",
    ),
}  # fmt: skip
"""Every kind of template."""

_SUFFIX = ".md"


@dataclass(frozen=True)
class Template:
    """A prompt with places to fill in.

    Attributes:
        name: Its file's name without the suffix.
        kind: What it is for, one of :data:`KINDS`.
        description: That in a sentence.
        prompt: The user's message.
        system: The message before it; empty for none. It has no places to fill in.
        max_tokens: The most tokens of the answer.
        temperature: None leaves it to the service.
        text: The file as it is written.
    """

    name: str
    kind: str
    description: str
    prompt: str
    system: str
    max_tokens: int
    temperature: float | None
    text: str

    def fill(self, values: Mapping[str, str]) -> str:
        """The message with the values in their places; braces in values are text like any other.

        Raises:
            KeyError: When a value is missing that the prompt has a place for.
        """
        parts = []
        for literal, name, _, _ in Formatter().parse(self.prompt):
            parts.append(literal)
            if name is not None:
                parts.append(values[name])
        return "".join(parts)

    def fingerprint(self) -> str:
        """A hash of the file."""
        return xxhash.xxh3_128_hexdigest(self.text.encode())


@cache
def builtin_templates() -> Mapping[str, Template]:
    """The templates that come with Cosmith, by name."""
    folder = resources.files("cosmith.mining.synthesis") / "builtin"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(_SUFFIX)), key=lambda each: each.name)
    return {
        each.name.removesuffix(_SUFFIX): parse_template(each.read_text(encoding="utf-8"), Path(each.name))
        for each in files
    }


def load_template(name_or_path: str | Path, kind: str | None = None) -> Template:
    """A built-in template by its name, or one in a file.

    Args:
        name_or_path: Of the template.
        kind: What it has to be for.

    Raises:
        InputError: When there is none, it cannot be used, or it is for something else.
    """
    builtin, path = builtin_templates(), Path(name_or_path)
    if str(name_or_path) in builtin:
        found = builtin[str(name_or_path)]
    elif not path.is_file():
        raise InputError("no such file, and no built-in template", path=path, remedy=nearest(str(path), builtin))
    else:
        try:
            found = parse_template(path.read_text(encoding="utf-8"), path)
        except UnicodeDecodeError as error:
            raise InputError("is not UTF-8", path=path, remedy="Save it as UTF-8.") from error
    if kind is not None and found.kind != kind:
        raise InputError(
            f"is a template of the kind {found.kind}, and one of the kind {kind} is needed", path=path, field="kind"
        )
    return found


def parse_template(text: str, path: Path) -> Template:
    """Read and check a template.

    Args:
        text: The file's text.
        path: Where it is, for errors.

    Raises:
        InputError: When the head is missing or wrong, or the prompt has places that cannot be filled in.
    """
    head, prompt, first_line = _parted(text, path)
    known = {"kind", "description", "system", "max_tokens", "temperature"}
    if unknown := sorted(set(map(str, head)) - known):
        raise InputError(f"unknown key {unknown[0]!r}", path=path, remedy=nearest(unknown[0], known))
    kind = str(head.get("kind", ""))
    if kind not in KINDS:
        raise InputError(f"{kind!r} is no kind of template", path=path, field="kind", remedy=nearest(kind, KINDS))
    max_tokens, temperature = head.get("max_tokens", 512), head.get("temperature", 0.8)
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise InputError(f"must be a whole number above 0, not {max_tokens!r}", path=path, field="max_tokens")
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool) and 0 <= temperature <= 2
    if temperature is not None and not number:
        raise InputError(f"must be a number from 0 to 2, or null, not {temperature!r}", path=path, field="temperature")
    _check_places(prompt, KINDS[kind], path, first_line)
    return Template(
        name=path.name.removesuffix(_SUFFIX),
        kind=kind,
        description=" ".join(str(head.get("description") or "").split()),
        prompt=prompt,
        system=str(head.get("system") or "").strip(),
        max_tokens=max_tokens,
        temperature=None if temperature is None else float(temperature),
        text=text,
    )


def _parted(text: str, path: Path) -> tuple[dict[str, Any], str, int]:
    """The head, the prompt, and the line at which that begins."""
    lines = text.splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if line.rstrip() == "---"]
    if len(ends) < 2 or ends[0] != 0:
        remedy = "Begin the file with a head between two lines of ---, as `cosmith data templates query` shows it."
        raise InputError("has no head", path=path, line=1, remedy=remedy)
    try:
        head = yaml.safe_load("".join(lines[1 : ends[1]]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 2
        raise InputError("the head is not YAML", path=path, line=line, remedy="Correct it.") from error
    if not isinstance(head, dict):
        raise InputError("the head is not a mapping of keys to values", path=path, line=2, remedy="Say `kind: query`.")
    body = "".join(lines[ends[1] + 1 :])
    first = ends[1] + 2 + len(body) - len(body.lstrip("\n"))
    return head, body.strip(), first


def _check_places(prompt: str, kind: TemplateKind, path: Path, first_line: int) -> None:
    listed = ", ".join(f"{{{name}}}" for name in kind.placeholders)
    used, line = set(), first_line
    try:
        for literal, name, form, conversion in Formatter().parse(prompt):
            line += literal.count("\n")
            if name is None:
                continue
            if form or conversion or not name.isidentifier():
                raise InputError(
                    f"{{{name}}} is more than a name, or none", path=path, line=line,
                    remedy=f"Write {listed}, and double braces that shall stand as they are: {{{{ and }}}}.",
                )  # fmt: skip
            if name not in kind.placeholders:
                raise InputError(
                    f"there is nothing called {{{name}}} to fill in", path=path, line=line,
                    remedy=f"There is {listed}; double braces that shall stand as they are: {{{{ and }}}}.",
                )  # fmt: skip
            used.add(name)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"has a single brace ({error})", path=path, line=line, remedy="Double braces that shall stand: {{ and }}."
        ) from error
    if missing := [name for name in kind.required if name not in used]:
        raise InputError(f"has no place for {{{missing[0]}}}", path=path, remedy="Put it into the prompt.")
