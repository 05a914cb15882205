"""The demo's data: training pairs, a development set and a test set from the functions of installed packages.

The split is by package (by module for the standard library): no function of the development or test set has a sibling
in training, so the scores say how the model does on code that it has never seen.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cosmith.atomic import atomic_folder
from cosmith.data.collection import Collection
from cosmith.data.python_functions import FunctionCorpus, FunctionPair
from cosmith.data.rows import SourceSettings, TrainingRow
from cosmith.data.source import Source
from cosmith.data.splits import split_by_group
from cosmith.errors import InputError
from cosmith.phrases import counted

SPLIT_WEIGHT = 200
"""Rows beyond this many do not count when packages are dealt out: else one big package would be the whole test set."""

SMALLEST_SHARE, LARGEST_SHARE = 0.1, 0.25
"""Of the (counted) rows, that the development and the test set may take."""

EXAMPLES, EXAMPLE_CHARACTERS = 5, 1_200


def build_python_docs(
    corpus: FunctionCorpus,
    folder: Path,
    *,
    train_pairs: int,
    dev_queries: int,
    dev_documents: int,
    test_queries: int,
    test_documents: int,
    seed: int = 0,
) -> dict[str, Any]:
    """Write ``folder/train`` (a Source), ``folder/dev`` and ``folder/test`` (BEIR folders).

    Each part is drawn evenly over its packages. The documents of a test set are the answers to its queries and
    distractors: functions of the same packages that answer no query, and where those are too few, unused ones of the
    other held-out packages, never of those that are trained on. Where there is less than asked for, all of it is taken.
    The same functions and the same seed always give the same sets.

    Args:
        corpus: The pairs, as :func:`cosmith.data.python_functions.collect_functions` gives them.
        folder: Where the three parts are written, each as a whole or not at all.
        train_pairs: How many pairs to train on.
        dev_queries: Queries of the development set.
        dev_documents: Its documents, answers and distractors together.
        test_queries: Queries of the test set.
        test_documents: Its documents, answers and distractors together.
        seed: Which packages are held out, and which functions are drawn.

    Returns:
        What was made: packages, functions (that have a docstring), pairs, dropped (reason → number), splits,
        distractors and some examples.

    Raises:
        InputError: When a number is not possible, or the functions are of fewer than three packages.
    """
    wanted = {"dev": (dev_queries, dev_documents), "test": (test_queries, test_documents)}
    _check(corpus, train_pairs, wanted)
    packages = _deal(corpus.pairs, {name: documents for name, (_, documents) in wanted.items()}, seed)
    members = {part: [pair for pair in corpus.pairs if pair.package in names] for part, names in packages.items()}
    queries = {name: _evenly(members[name], count, seed) for name, (count, _) in wanted.items()}
    documents = {
        name: _with_distractors(queries[name], members[name], wanted[name][1], seed) for name in ("dev", "test")
    }
    for name, other in (("test", "dev"), ("dev", "test")):
        used = {pair for part in documents.values() for pair in part}
        spare = [pair for pair in members[other] if pair not in used]
        documents[name] += _evenly(spare, wanted[name][1] - len(documents[name]), seed)
    train = _evenly(members["train"], train_pairs, seed)

    rows = [TrainingRow(pair.query, (pair.document,), group=pair.package) for pair in train]
    Source.write(folder / "train", "train", rows, SourceSettings(task="retrieval"))
    for name in wanted:
        with atomic_folder(folder / name) as part:
            _collection(name, queries[name], documents[name]).write_beir(part)
    return {
        "packages": corpus.packages,
        "functions": corpus.found,
        "pairs": len(corpus.pairs),
        "dropped": dict(corpus.dropped),
        "splits": {
            "train": {"pairs": len(train), "packages": _packages(train)},
            **{
                name: {
                    "queries": len(queries[name]),
                    "documents": len(documents[name]),
                    "packages": _packages(queries[name]),
                }
                for name in wanted
            },
        },
        "distractors": len(documents["test"]) - len(queries["test"]),
        "examples": [
            {"query": pair.query, "document": pair.document[:EXAMPLE_CHARACTERS], "package": pair.package}
            for pair in _evenly(train, EXAMPLES, seed)
        ],
    }


def _check(corpus: FunctionCorpus, train_pairs: int, wanted: Mapping[str, tuple[int, int]]) -> None:
    if train_pairs < 1:
        raise InputError(f"must be at least 1, got {train_pairs}", field="train_pairs", remedy="Ask for at least 1.")
    for name, (queries, documents) in wanted.items():
        if not 1 <= queries <= documents:
            raise InputError(
                f"{counted(queries, 'query', 'queries')} over {counted(documents, 'document')} cannot be",
                field=f"{name}_queries",
                remedy="Ask for at least 1 query, and for at least as many documents as queries.",
            )
    packages = len({pair.package for pair in corpus.pairs})
    if packages < 3:
        raise InputError(
            f"the functions are of {counted(packages, 'package')} only; training, development and test need one each",
            remedy="Install more packages, or name more roots.",
        )


def _deal(pairs: Sequence[FunctionPair], documents: Mapping[str, int], seed: int) -> dict[str, set[str]]:
    """Give every package to train, dev or test."""
    sizes = Counter(pair.package for pair in pairs)
    counted = [package for package in sorted(sizes) for _ in range(min(sizes[package], SPLIT_WEIGHT))]
    shares = {
        name: min(max(1.2 * count / len(counted), SMALLEST_SHARE), LARGEST_SHARE) for name, count in documents.items()
    }
    shares = {"train": 1 - sum(shares.values()), **shares}
    parts = split_by_group(counted, shares, seed)
    return {name: {counted[number] for number in numbers} for name, numbers in parts.items()}


def _evenly(pairs: Sequence[FunctionPair], count: int, seed: int) -> list[FunctionPair]:
    """Draw ``count`` pairs, from each package equally many as long as it has some; ordered as in ``pairs``."""
    by_package: dict[str, list[tuple[bytes, int]]] = {}
    for number, pair in enumerate(pairs):
        by_package.setdefault(pair.package, []).append((_draw(seed, pair), number))
    # A package's n-th draw comes before any other package's (n+1)-th; the last, incomplete round is drawn too.
    turns = [
        (turn, draw, number) for package in by_package.values() for turn, (draw, number) in enumerate(sorted(package))
    ]
    return [pairs[number] for number in sorted(number for _, _, number in sorted(turns)[: max(count, 0)])]


def _draw(seed: int, pair: FunctionPair) -> bytes:
    """A random number that depends on the function's name and the seed only, not on what else is installed."""
    return hashlib.blake2b(f"{seed}:{_name(pair)}".encode(), digest_size=8).digest()


def _with_distractors(
    answers: Sequence[FunctionPair], members: Sequence[FunctionPair], count: int, seed: int
) -> list[FunctionPair]:
    used = set(answers)
    others = [pair for pair in members if pair not in used]
    return [*answers, *_evenly(others, count - len(answers), seed)]


def _collection(name: str, queries: Sequence[FunctionPair], documents: Sequence[FunctionPair]) -> Collection:
    ids = _ids(documents)
    asked = {ids[pair]: pair.query for pair in queries}
    return Collection(
        name=f"python-docs-{name}",
        documents={ids[pair]: pair.document for pair in documents},
        queries=asked,
        relevance={answer: {answer: 1} for answer in asked},
    )


def _ids(pairs: Iterable[FunctionPair]) -> dict[FunctionPair, str]:
    """``module:qualname`` for each pair; the second function of that name (a setter, a fallback) gets ``#2``."""
    seen: Counter[str] = Counter()
    ids = {}
    for pair in pairs:
        name = _name(pair)
        seen[name] += 1
        ids[pair] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return ids


def _name(pair: FunctionPair) -> str:
    return f"{pair.module}:{pair.qualname}"


def _packages(pairs: Iterable[FunctionPair]) -> int:
    return len({pair.package for pair in pairs})
