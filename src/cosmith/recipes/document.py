"""A recipe's YAML text as plain values that remember the line each of them stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cosmith.errors import InputError

Keys = tuple[str | int, ...]

_START = "`cosmith recipe show pairs` prints one to start from."


@dataclass(frozen=True)
class Document:
    """What a recipe file says, before it is checked against the schema.

    Attributes:
        value: The top-level mapping.
        lines: The line (from 1) of each key, by its way from the top, e.g. ``("stages", "train", "steps")``.
        path: The file, for messages; None for a recipe that was made in memory.
        text: The file's text as given.
    """

    value: dict[str, Any]
    lines: Mapping[Keys, int]
    path: Path | None
    text: str

    def line(self, keys: Keys) -> int | None:
        """The line of ``keys``, or of the nearest key above it that stands in the file."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return self.lines[keys[:end]]
        return None


def dotted(keys: Keys) -> str:
    """``("stages", "train", "dims", 0)`` as a user writes it: ``stages.train.dims[0]``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def read_document(path: str | Path) -> Document:
    """Read a recipe file.

    Raises:
        InputError: The file is missing, not UTF-8, not YAML, empty, no mapping, or says a key twice.
    """
    file = Path(path)
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise InputError(
            "no such recipe file", path=file, remedy="`cosmith run --list` shows the built-in ones."
        ) from error
    except IsADirectoryError as error:
        raise InputError("is a folder, not a recipe file", path=file, remedy="Name the .yaml file.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError("is not UTF-8 text", path=file, line=line, remedy="Save the recipe as UTF-8.") from error
    return parse_document(text, file)


def parse_document(text: str, path: Path | None = None) -> Document:
    """Parse the text of a recipe; see :func:`read_document`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"is not valid YAML: {error.problem or error.context}",
            path=path,
            line=mark.line + 1 if mark else None,
            remedy="Check the indentation, colons and quotes near this line.",
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"is not valid YAML: {error}", path=path, remedy="Remove what is not text.") from error
    if node is None:
        raise InputError("the recipe is empty", path=path, remedy=_START)
    if not isinstance(node, yaml.MappingNode):
        raise InputError(
            "a recipe is a mapping of keys to values", path=path, line=node.start_mark.line + 1,
            remedy=_START,
        )  # fmt: skip
    lines: dict[Keys, int] = {}
    _collect_lines(node, (), lines, path, frozenset())
    return Document(value, lines, path, text)


def _collect_lines(
    node: yaml.Node, keys: Keys, lines: dict[Keys, int], path: Path | None, above: frozenset[int]
) -> None:
    """Note the line of every key and list item below ``node``; refuse what YAML lets pass but no recipe can mean:
    a key said twice, and an alias inside its own anchor (``above`` holds the nodes that contain this one)."""
    if id(node) in above:
        line = node.start_mark.line + 1
        raise InputError("an anchor contains itself", path=path, line=line, remedy="Write the value out.")
    above |= {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            below = (*keys, str(key_node.value))
            line = key_node.start_mark.line + 1
            if below in lines:
                raise InputError(
                    f"the key stands twice (first on line {lines[below]})", path=path, line=line, field=dotted(below),
                    remedy="Keep one of the two.",
                )  # fmt: skip
            lines[below] = line
            _collect_lines(value_node, below, lines, path, above)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*keys, number)] = item.start_mark.line + 1
            _collect_lines(item, (*keys, number), lines, path, above)
