"""The documented functions of one Python file, by its syntax tree; the file is never imported."""

from __future__ import annotations

import ast
import gc
import inspect
import io
import re
import textwrap
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

_NOT_HERE = frozenset({"NotImplementedError", "NotImplemented", "AbstractMethodError"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class DocumentedFunction:
    """A function or method that has a docstring.

    Args:
        qualname: Its dotted name within the module.
        docstring: As ``inspect.cleandoc`` gives it.
        document: Source with decorators, dedented, all docstrings cut out.
        tokens: Names, numbers and signs of the body.
        nested: It stands inside another function, whose document therefore holds it.
        stub: An ``overload``, or decorated as deprecated.
        empty: Its body does nothing: ``pass``, ``...``, ``raise NotImplementedError``.
    """

    qualname: str
    docstring: str
    document: str
    tokens: int
    nested: bool
    stub: bool
    empty: bool


def functions_of(path: Path) -> list[DocumentedFunction] | None:
    """The documented functions of a file, in its order; ``None`` if it is not Python of this version."""
    text = read_source(path)
    return None if text is None else functions_in(text)


def functions_in(text: str) -> list[DocumentedFunction] | None:
    """The documented functions of a source with line feeds at the ends of lines; as :func:`functions_of`."""
    if not ('"""' in text or "'''" in text):
        return []  # one-line docstrings in single quotes are too rare to pay for parsing all such files
    tree = _parsed(text)
    if tree is None:
        return None
    # Positions in a syntax tree are in bytes of UTF-8, and its lines end at line feeds only.
    lines = [line.encode("utf-8") for line in text.split("\n")]
    return [
        _describe(node, qualname, nested, lines, docstring)
        for node, qualname, nested in _functions(tree, (), False)
        if (docstring := _docstring(node)) is not None
    ]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection while a syntax tree grows: it would scan the tree again and again for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_source(path: Path) -> str | None:
    """The text of a Python file in the encoding that it declares; ``None`` if that fails or it holds a NUL."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return decoded_source(data)


def decoded_source(data: bytes) -> str | None:
    """The bytes of a Python file as text, as :func:`read_source`."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        text.encode("utf-8")  # a decoder such as utf-7 may give lone surrogates, which no file could hold
    except (SyntaxError, UnicodeError, LookupError):
        return None
    return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Definition:
    """A class, function or method.

    Args:
        qualname: Its dotted name within the module.
        start: The character of the source where its first line begins: that of the comment right above it, of its
            decorators, or its own.
    """

    qualname: str
    start: int


def definitions_of(text: str) -> list[Definition]:
    """The classes, functions and methods of a Python source in its order, without those inside functions.

    A source that this version of Python cannot parse has none.
    """
    tree = _parsed(text)
    if tree is None:
        return []
    lines = text.split("\n")
    places = _starts(lines)
    found = []
    for node, qualname in _definitions(tree, ()):
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
        while line and lines[line - 1].lstrip().startswith("#"):
            line -= 1
        found.append(Definition(qualname, places[line]))
    return sorted(found, key=lambda each: each.start)  # two may stand on one line


def _starts(lines: list[str]) -> list[int]:
    """Where each line of a text begins, in characters."""
    return list(accumulate((len(line) + 1 for line in lines[:-1]), initial=0))


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree of a source; ``None`` if it is not Python of this version."""
    with warnings.catch_warnings(), _collector_paused():
        warnings.simplefilter("ignore")  # invalid escapes in other people's strings
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _definitions(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[Function | ast.ClassDef, str]]:
    for child in _blocks(node):
        if isinstance(child, Function | ast.ClassDef):
            names = (*scope, child.name)
            yield child, ".".join(names)
            if isinstance(child, ast.ClassDef):
                yield from _definitions(child, names)
        else:
            yield from _definitions(child, scope)


def _blocks(node: ast.AST) -> Iterator[ast.AST]:
    """The statements (and handlers, cases) directly inside ``node``; expressions hold none, so they are passed by."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            yield from inner


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that :func:`_blocks` reaches below ``node``: a third of ``ast.walk``'s time or less."""
    for child in _blocks(node):
        yield child
        yield from _walk(child)


def _functions(node: ast.AST, scope: tuple[str, ...], nested: bool) -> Iterator[tuple[Function, str, bool]]:
    """The functions below ``node`` in the order of the file: each, its dotted name, whether one is around it."""
    for child in _blocks(node):
        if isinstance(child, Function):
            names = (*scope, child.name)
            yield child, ".".join(names), nested
            yield from _functions(child, names, True)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*scope, child.name), nested)
        else:
            yield from _functions(child, scope, nested)


def _docstring_node(node: ast.AST) -> ast.Expr | None:
    """The statement that is the docstring of a function or class."""
    if not isinstance(node, Function | ast.ClassDef) or not node.body:
        return None
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def _docstring(node: Function) -> str | None:
    first = _docstring_node(node)
    if first is None:
        return None
    return inspect.cleandoc(ast.literal_eval(first.value)).strip() or None


def _describe(node: Function, qualname: str, nested: bool, lines: list[bytes], docstring: str) -> DocumentedFunction:
    body = node.body[1:]
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    document = _cut_docstrings(node, start, lines)
    return DocumentedFunction(
        qualname=qualname,
        docstring=docstring,
        document=document,
        tokens=_body_tokens(body, lines),
        nested=nested,
        stub=any(_marks_stub(decorator) for decorator in node.decorator_list),
        empty=all(_does_nothing(part) for part in body),
    )


def _cut_docstrings(node: Function, start: int, lines: list[bytes]) -> str:
    """The source of ``node`` from line ``start`` on, without the docstrings of it and of what stands in it."""
    end = node.end_lineno or node.lineno
    piece = lines[start - 1 : end]
    # Positions are in UTF-8 bytes. From the last to the first, so that earlier positions stay true.
    found = [doc for child in (node, *_walk(node)) if (doc := _docstring_node(child)) is not None]
    for doc in sorted(found, key=lambda child: child.lineno, reverse=True):
        first, last = doc.lineno - start, (doc.end_lineno or doc.lineno) - start
        before, after = piece[first][: doc.col_offset], piece[last][doc.end_col_offset :].lstrip()
        after = after[1:].lstrip() if after.startswith(b";") else after
        kept = before + after
        while not kept.strip() and last + 1 < len(piece) and not piece[last + 1].strip():
            last += 1  # the empty lines between docstring and code go with it
        piece[first : last + 1] = [kept] if kept.strip() else []
    text = "\n".join(line.decode("utf-8").rstrip() for line in piece)
    return re.sub(r"\n{3,}", "\n\n", textwrap.dedent(text)).strip("\n")


def _body_tokens(body: list[ast.stmt], lines: list[bytes]) -> int:
    if not body:
        return 0
    text = b"\n".join(lines[body[0].lineno - 1 : body[-1].end_lineno]).decode("utf-8")
    return len(re.findall(r"\w+|[^\w\s]", text))


def _marks_stub(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
    return name == "overload" or "deprecat" in name.lower()


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        target = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(target, ast.Name) and target.id in _NOT_HERE
    return False


def token_key(function: DocumentedFunction) -> str:
    """Equal for functions that differ in white space and their own name only."""
    name = function.qualname.rpartition(".")[2]
    return " ".join(function.document.replace(f"def {name}(", "def _(", 1).split())
