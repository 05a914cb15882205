"""The demo's sets: nothing of a held-out package in training, everything drawn evenly and reproducibly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cosmith.data import Collection, Source
from cosmith.data.python_docs import build_python_docs
from cosmith.data.python_functions import FunctionCorpus, FunctionPair
from cosmith.errors import InputError


def made_corpus(sizes: dict[str, int]) -> FunctionCorpus:
    pairs = tuple(
        FunctionPair(
            f"ask {package} about {n}", f"def f{n}():\n    return {package!r}", package, f"{package}.m", f"f{n}"
        )
        for package, size in sorted(sizes.items())
        for n in range(size)
    )
    return FunctionCorpus(pairs, found=2 * len(pairs), packages=len(sizes), dropped={"no body": len(pairs)})


SIZES = {f"p{n:02}": 10 + 5 * n for n in range(30)} | {"huge": 1_500}
NUMBERS = {"train_pairs": 300, "dev_queries": 30, "dev_documents": 100, "test_queries": 60, "test_documents": 200}


def build(corpus: FunctionCorpus, folder: Path, seed: int = 0, **changed: int) -> dict[str, Any]:
    return build_python_docs(corpus, folder, **{**NUMBERS, **changed}, seed=seed)


def package_of(given: str) -> str:
    return given.split(".")[0]


def parts(folder: Path) -> tuple[Source, Collection, Collection]:
    return Source.load(folder / "train"), Collection.read_beir(folder / "dev"), Collection.read_beir(folder / "test")


@pytest.mark.parametrize("seed", range(5))
def test_no_test_function_has_a_sibling_in_training(tmp_path: Path, seed: int) -> None:
    build(made_corpus(SIZES), tmp_path, seed)
    train, dev, test = parts(tmp_path)
    trained = set(train.groups or [])
    assert trained
    for held_out in (dev, test):
        assert not trained & {package_of(given) for given in held_out.documents}
    assert not {package_of(q) for q in dev.queries} & {package_of(q) for q in test.queries}
    answers = {row.positives[0] for row in train.rows()}
    assert not answers & {*dev.documents.values(), *test.documents.values()}
    assert not set(dev.documents.values()) & set(test.documents.values())


def test_sizes_are_as_asked_and_each_query_has_its_own_answer(tmp_path: Path) -> None:
    result = build(made_corpus(SIZES), tmp_path)
    train, dev, test = parts(tmp_path)
    assert (len(train), len(dev.queries), len(dev.documents)) == (300, 30, 100)
    assert (len(test.queries), len(test.documents)) == (60, 200)
    for query, text in test.queries.items():
        assert test.relevance[query] == {query: 1}
        number = text.rpartition(" ")[2]
        assert test.documents[query] == f"def f{number}():\n    return {package_of(query)!r}"
    assert result["functions"] == 2 * result["pairs"] == 2 * sum(SIZES.values())
    assert result["splits"]["test"] == {
        "queries": 60,
        "documents": 200,
        "packages": len({*map(package_of, test.queries)}),
    }
    assert result["splits"]["train"] == {"pairs": 300, "packages": len(set(train.groups or []))}
    assert result["distractors"] == 140
    assert [set(example) for example in result["examples"]] == [{"query", "document", "package"}] * 5
    assert json.loads(json.dumps(result)) == result


def test_no_package_dominates(tmp_path: Path) -> None:
    for seed in range(5):
        build(made_corpus(SIZES), tmp_path / str(seed), seed)
        train, dev, test = parts(tmp_path / str(seed))
        for drawn in (train.groups or [], map(package_of, dev.queries), map(package_of, test.queries)):
            counts = Counter(drawn)
            # Evenly: whoever gave less than the most gave all it had (of those that can be told: its size is known).
            most = max(counts.values())
            assert all(count >= most - 1 or count == SIZES[package] for package, count in counts.items())


def test_the_same_functions_and_seed_give_the_same_files(tmp_path: Path) -> None:
    corpus = made_corpus(SIZES)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build(corpus, tmp_path / name, seed)

    def bytes_of(name: str) -> dict[str, bytes]:
        root = tmp_path / name
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}

    assert bytes_of("a") == bytes_of("b")
    assert bytes_of("a") != bytes_of("c")


def test_where_there_is_less_than_asked_for_everything_is_taken(tmp_path: Path) -> None:
    corpus = made_corpus({"one": 5, "two": 6, "three": 7})
    result = build(corpus, tmp_path, train_pairs=1_000, test_documents=1_000, dev_documents=900)
    train, dev, test = parts(tmp_path)
    assert len(train) + len(dev.documents) + len(test.documents) == 18
    assert result["splits"]["train"]["packages"] == 1
    # Distractors of the test set may come from the development packages, but no document is in both.
    assert not set(dev.documents.values()) & set(test.documents.values())


def test_functions_of_one_name_keep_apart(tmp_path: Path) -> None:
    pairs = tuple(
        FunctionPair(f"ask {p} for {n}", f"def f():\n    return {n}, {p!r}", p, p, "C.f")
        for p in "abc"
        for n in range(4)
    )
    build(FunctionCorpus(pairs, 12, 3, {}), tmp_path)
    _, _, test = parts(tmp_path)
    assert {given.partition(":")[2] for given in test.documents} == {"C.f", "C.f#2", "C.f#3", "C.f#4"}


def test_what_is_not_possible_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 packages"):
        build(made_corpus({"one": 50, "two": 50}), tmp_path / "x")
    with pytest.raises(InputError, match=r"test_queries.*300 queries over 200 documents"):
        build(made_corpus(SIZES), tmp_path / "x", test_queries=300)
    with pytest.raises(InputError, match="dev_queries"):
        build(made_corpus(SIZES), tmp_path / "x", dev_queries=0)
    with pytest.raises(InputError, match="train_pairs"):
        build(made_corpus(SIZES), tmp_path / "x", train_pairs=0)
    assert not (tmp_path / "x").exists()
