"""Pairs (what it does, how it is written) from the functions of the installed Python packages.

Every Python machine carries tens of thousands of them: the first sentence of a docstring is the query, the source
without its docstrings is the document. Files are parsed, never imported. What cannot serve is counted by reason.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from cosmith.data.python_source import DocumentedFunction, functions_of, token_key
from cosmith.data.python_summaries import is_boilerplate, is_english, normalised, repeats_name, summary
from cosmith.errors import InputError
from cosmith.progress import Bar, track

LARGEST_FILE = 1_000_000
"""Bytes; what is larger is generated code or a table."""

SKIPPED_FOLDERS = frozenset(
    {"tests", "test", "_vendor", "_vendored", "vendor", "vendored", "externals", "extern", "third_party",
     "site-packages", "dist-packages", "__pycache__", "lib-dynload", "_bundled"}
)  # fmt: skip
"""Tests say little about what a function does; vendored copies would put the same function on both sides of a split."""

SKIPPED_PACKAGES = frozenset({"cosmith", "pip", "_distutils_hack"})
"""Cosmith itself (an edit of it must not change the data) and what differs between equal environments."""


@dataclass(frozen=True)
class FunctionPair:
    """A function of an installed package.

    Args:
        query: The first sentence of its docstring, cleaned.
        document: Its source, dedented, with its decorators and without docstrings.
        package: The group it belongs to: top-level package, or ``stdlib:MODULE``.
        module: The dotted module, e.g. ``json.decoder``.
        qualname: Its name in the module, e.g. ``JSONDecoder.decode``.
    """

    query: str
    document: str
    package: str
    module: str
    qualname: str


@dataclass(frozen=True)
class FunctionCorpus:
    """What was found and what was left out.

    Args:
        pairs: The usable pairs, ordered by package, module and place in the file.
        found: Functions and methods that have a docstring.
        packages: How many packages the pairs come from.
        dropped: Reason → number of functions; ``found == len(pairs) + sum(dropped.values())``.
        files: How many files were read.
        unreadable: How many of them are not Python of this version, or not in the encoding that they name.
    """

    pairs: tuple[FunctionPair, ...]
    found: int
    packages: int
    dropped: dict[str, int]
    files: int = 0
    unreadable: int = 0


@dataclass(frozen=True)
class Limits:
    """When a function is of no use as a pair.

    Args:
        min_query_words: Fewer words ask nothing.
        max_query_words: More is a paragraph, not a sentence.
        min_body_tokens: Names, numbers and signs of the body.
        max_document_characters: Longer functions are tables or generated.
        max_package_pairs: So that no package dominates.
    """

    min_query_words: int = 4
    max_query_words: int = 60
    min_body_tokens: int = 20
    max_document_characters: int = 20_000
    max_package_pairs: int = 2_000


@dataclass(frozen=True)
class _File:
    path: str
    package: str
    module: str


@dataclass
class _Read:
    """What a batch of files gave; travels between processes."""

    files: int = 0
    unreadable: int = 0
    found: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    pairs: list[tuple[FunctionPair, str]] = field(default_factory=list)

    def add(self, other: _Read) -> None:
        self.files += other.files
        self.unreadable += other.unreadable
        self.found += other.found
        self.dropped.update(other.dropped)
        self.pairs.extend(other.pairs)


def installed_roots() -> list[Path]:
    """The folders of the standard library and of the installed packages, each once."""
    paths = sysconfig.get_paths()
    return list(dict.fromkeys(Path(paths[name]).resolve() for name in ("stdlib", "purelib", "platlib")))


def collect_functions(
    roots: Sequence[Path] | None = None, *, limits: Limits | None = None, processes: int | None = None
) -> FunctionCorpus:
    """Read the functions under ``roots`` and keep those whose docstring and source make a usable pair.

    The result depends on the files only: not on the order in which a file system lists them or packages were
    installed, nor on the number of processes.

    Args:
        roots: Folders that hold packages. Default: the standard library and site-packages of this interpreter.
        limits: When a function is left out.
        processes: How many processes read; default two where there are two processors and many files.

    Raises:
        InputError: When a root is not a folder, or no function under the roots can be used.
    """
    limits = limits or Limits()
    chosen = installed_roots() if roots is None else [Path(root) for root in roots]
    files = _python_files(chosen)
    read = _Read()
    with track("Reading packages", len(files), "files") as bar:
        for part in _read_all(files, limits, processes, bar):
            read.add(part)
    pairs = _without_duplicates(read.pairs, read.dropped)
    pairs = _capped(pairs, limits.max_package_pairs, read.dropped)
    if not pairs:
        raise InputError(
            f"no usable function in {len(files):,} Python files ({read.found:,} have a docstring)",
            path=chosen[0] if len(chosen) == 1 else None,
            field="roots",
            remedy="Name folders that hold installed Python packages.",
        )
    packages = len({pair.package for pair in pairs})
    dropped = dict(sorted(read.dropped.items(), key=lambda item: (-item[1], item[0])))
    return FunctionCorpus(tuple(pairs), read.found, packages, dropped, read.files, read.unreadable)


# --- which files -----------------------------------------------------------------------------------------------------


def _python_files(roots: Sequence[Path]) -> list[_File]:
    """All Python files worth reading, ordered by package and module."""
    standard = Path(sysconfig.get_paths()["stdlib"]).resolve()
    files: dict[str, _File] = {}
    for root in roots:
        if not root.is_dir():
            raise InputError("is not a folder", path=root, field="roots", remedy="Name a folder that holds packages.")
        prefix = "stdlib:" if root.resolve() == standard else ""
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = [name for name in subfolders if name.isidentifier() and name not in SKIPPED_FOLDERS]
            for name in names:
                parts = (*Path(folder).relative_to(root).parts, name.removesuffix(".py"))
                path = str(Path(folder, name))
                if name.endswith(".py") and parts[0] not in SKIPPED_PACKAGES and _worth_reading(path, name):
                    module = ".".join(parts).removesuffix(".__init__")
                    files.setdefault(path, _File(path, prefix + package_group(parts[0]), module))
    return sorted(files.values(), key=lambda file: (file.package, file.module, file.path))


def _worth_reading(path: str, name: str) -> bool:
    about_tests = name.startswith(("test_", "conftest")) or name.endswith("_test.py")
    return not about_tests and Path(path).stat().st_size <= LARGEST_FILE


def package_group(top_level: str) -> str:
    """The group of a top-level module: private halves go with their public one (``_pytest`` with ``pytest``)."""
    for prefix in ("_py", "_"):
        public = top_level.removeprefix(prefix)
        if prefix == "_py" and public not in sys.stdlib_module_names:
            continue
        if public and public != top_level:
            return public
    return top_level


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_all(files: list[_File], limits: Limits, processes: int | None, bar: Bar) -> Iterator[_Read]:
    """Read ``files`` in batches, in order, in this process or several."""
    batches = _batches(files, 64)
    if processes is None:
        processes = min(2, os.cpu_count() or 1) if len(files) >= 2_000 else 1
    done = 0
    if processes > 1:
        # A spawned process runs the caller's script anew; where that script has no `__main__` guard the pool breaks,
        # and reading goes on here.
        try:
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                for part in pool.map(read_batch, batches, [limits] * len(batches)):
                    bar.advance(part.files)
                    done += 1
                    yield part
        except BrokenProcessPool:
            pass
    for batch in islice(batches, done, None):
        part = read_batch(batch, limits)
        bar.advance(part.files)
        yield part


def _batches(files: list[_File], size: int) -> list[list[_File]]:
    return [files[start : start + size] for start in range(0, len(files), size)]


def read_batch(files: Iterable[_File], limits: Limits) -> _Read:
    """The pairs of some files, each with the key by which equal documents are known."""
    read = _Read()
    for file in files:
        read.files += 1
        functions = functions_of(Path(file.path))
        if functions is None:
            read.unreadable += 1
            continue
        for function in functions:
            read.found += 1
            query, reason = query_of(function, limits)
            if reason:
                read.dropped[reason] += 1
                continue
            pair = FunctionPair(query, function.document, file.package, file.module, function.qualname)
            read.pairs.append((pair, token_key(function)))
    return read


def query_of(function: DocumentedFunction, limits: Limits) -> tuple[str, str]:
    """The first sentence of a function's docstring as a query, and why the two are no pair (empty: they are one)."""
    if function.nested:
        return "", "inside another function"
    if function.stub:
        return "", "overload or deprecated"
    if function.empty:
        return "", "no body"
    if function.tokens < limits.min_body_tokens:
        return "", "body too short"
    if len(function.document) > limits.max_document_characters:
        return "", "body too long"
    query = summary(function.docstring)
    words = len(query.split())
    if not words:
        return "", "no sentence"
    if words < limits.min_query_words:
        return "", "query too short"
    if words > limits.max_query_words:
        return "", "query too long"
    if not is_english(query):
        return "", "not in English"
    if is_boilerplate(query):
        return "", "query says nothing of its own"
    if repeats_name(query, function.qualname):
        return "", "query repeats the name"
    return query, ""


# --- across packages -------------------------------------------------------------------------------------------------


def _without_duplicates(keyed: list[tuple[FunctionPair, str]], dropped: Counter[str]) -> list[FunctionPair]:
    """Keep the first of equal queries and of equal documents: a test set must have one right answer."""
    queries: set[str] = set()
    documents: set[str] = set()
    kept = []
    for pair, key in keyed:
        query = normalised(pair.query)
        if query in queries:
            dropped["duplicate query"] += 1
        elif key in documents:
            dropped["duplicate body"] += 1
        else:
            kept.append(pair)
        queries.add(query)
        documents.add(key)
    return kept


def _capped(pairs: list[FunctionPair], most: int, dropped: Counter[str]) -> list[FunctionPair]:
    """At most ``most`` pairs a package, chosen by a hash of their names: evenly over it, and stable."""
    by_package: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        by_package.setdefault(pair.package, []).append(number)
    kept: list[int] = []
    for numbers in by_package.values():
        if len(numbers) > most:
            dropped["over the package's limit"] += len(numbers) - most
            numbers = sorted(numbers, key=lambda number: (_name_hash(pairs[number]), number))[:most]
        kept.extend(numbers)
    return [pairs[number] for number in sorted(kept)]


def _name_hash(pair: FunctionPair) -> bytes:
    return hashlib.blake2b(f"{pair.module}:{pair.qualname}".encode(), digest_size=8).digest()
