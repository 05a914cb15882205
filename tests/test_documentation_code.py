"""The Python of the documentation: it runs, or at least what it calls is there and takes what it is given."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cosmith import Collection, Encoder, Source, TrainingRow
from cosmith.models import tiny_cross_encoder, tiny_encoder

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks_of(page: Path) -> list[str]:
    """The blocks of Python of a page, each behind as many line breaks as lines stand before it, so that errors name
    the page's lines."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, block.start(1)) + block.group(1) for block in BLOCK.finditer(text)]


PAGES = {
    str(page.relative_to(ROOT)): blocks
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if (blocks := blocks_of(page))
}

Prepare = Callable[[], Mapping[str, Any]]
"""Writes the files that a page names into the working folder, and gives what it leaves to the reader to define."""

SENTENCES = [
    "Bring a note from the second day.", "The desk books trips.", "Passwords expire after a year.",
    "Open Settings, then Security.", "Addresses stand under Account.", "Leave is asked for in the portal.",
]  # fmt: skip


def handbook() -> dict[str, Any]:
    folder = Path("handbook/hr")
    folder.mkdir(parents=True)
    for number, sentence in enumerate(SENTENCES):
        text = f"# Page {number}\n\n{sentence} {sentence}\n\n## Part {number}\n\nMore of it: {sentence} {sentence}\n"
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    return {}


def judged() -> Collection:
    documents = {f"d{number}": sentence for number, sentence in enumerate(SENTENCES)}
    queries = {"q0": "a note?", "q1": "book a trip", "q2": "my password"}
    return Collection("test", documents, queries, {f"q{number}": {f"d{number}": 1} for number in range(3)})


def pairs() -> Source:
    rows = [TrainingRow(f"how is it with number {number}?", (text,)) for number, text in enumerate(SENTENCES)]
    return Source.from_rows("pairs", rows)


def for_data() -> dict[str, Any]:
    Path("clicks.csv").write_text(
        "query,document,action,time\n" + "reset password,d7,click,2024-05-01T12:00:00Z\n" * 3, encoding="utf-8"
    )
    files = {"collection": "0\tzero\n1\tone\n", "queries": "7\tseven?\n", "triples": "7\t1\t0\n"}
    for name, content in files.items():
        Path(f"{name}.tsv").write_text(content, encoding="utf-8")
    return {name: Path(f"{name}.tsv") for name in files}


def for_documents() -> dict[str, Any]:
    test = judged()
    return {**handbook(), "documents": test.documents, "test": test}


def with_a_test_set() -> dict[str, Any]:
    judged().write_beir("my-test-set")
    return {}


def for_comparing() -> dict[str, Any]:
    named = {name: stand_in(seed) for seed, name in enumerate(("base", "tuned"))}
    for name, encoder in named.items():
        encoder.save(name)
    models = {name: Encoder.load(name) for name in named}
    return {**with_a_test_set(), **models, "encoder": models["base"], "texts": SENTENCES}


def for_compression() -> dict[str, Any]:
    encoder = tiny_encoder("bert", projection=256)
    encoder.save("tuned")
    return {**with_a_test_set(), "encoder": encoder, "texts": SENTENCES}


def for_evaluation() -> dict[str, Any]:
    rows = [f"{text}\t{SENTENCES[0]}\t{number}" for number, text in enumerate(SENTENCES)]
    Path("pairs.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *rows]), encoding="utf-8")
    tiny_cross_encoder("bert").save("my-reranker")
    labels = [str(number % 2) for number in range(36)]
    texts = [f"{SENTENCES[number % 6]} {number}" for number in range(36)]
    named = {"train_texts": texts, "train_labels": labels, "texts": texts[:8], "labels": labels[:8]}
    return with_a_test_set() | named


RUN: dict[str, Prepare] = {
    "README.md": with_a_test_set,
    "docs/cleaning.md": lambda: {"source": pairs()},
    "docs/comparing.md": for_comparing,
    "docs/compression.md": for_compression,
    "docs/data.md": for_data,
    "docs/documents.md": for_documents,
    "docs/evaluation.md": for_evaluation,
    "docs/getting-started.md": dict,
    "docs/mining.md": dict,
    "docs/smaller-models.md": lambda: {"texts": [f"{text} {text}" for text in SENTENCES] + SENTENCES},
    "docs/weak-pairs.md": handbook,
}
"""The pages whose code is run; that of the others takes long, or a model, cluster or endpoint that is not there."""


def stand_in(seed: int = 0) -> Encoder:
    return tiny_encoder("bert", seed=seed, max_length=512)


@pytest.fixture
def small_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works in an empty folder, where a model that is named and not there is a small random one."""
    load = Encoder.load

    def loaded(name: str | Path, **settings: Any) -> Encoder:
        return load(name, **settings) if Path(name).is_dir() else stand_in()

    monkeypatch.setattr(Encoder, "load", loaded)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", RUN)
@pytest.mark.usefixtures("small_models")
def test_it_runs(page: str) -> None:
    names: dict[str, Any] = dict(RUN[page]())
    for block in PAGES[page]:
        exec(compile(block, page, "exec"), names)
    assert made_by(page), f"{page} has no code that makes anything: take it from RUN"
    assert {name for name in made_by(page) if names.get(name) is None} == set()


def made_by(page: str) -> set[str]:
    """The names that a page's code gives to something outside of functions."""
    statements = [each for block in PAGES[page] for each in ast.parse(block).body]
    targets = [target for each in statements if isinstance(each, ast.Assign) for target in each.targets]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def resolved(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression such as ``Encoder.load`` stands for, as far as the page imports it; else None."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := resolved(node.value, names)) is not None:
        return getattr(owner, node.attr)
    return None


def complaints(block: str, names: dict[str, Any]) -> Iterator[str]:
    """What a block imports or calls and is not there; ``names`` has what the page has imported, and takes more."""
    nodes = list(ast.walk(ast.parse(block)))
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            for each in node.names:
                if not hasattr(module, each.name):
                    yield f"line {node.lineno}: {node.module} has no {each.name}"
                names[each.asname or each.name] = getattr(module, each.name, None)
    for node in nodes:
        if not isinstance(node, ast.Call) or any(isinstance(each, ast.Starred) for each in node.args):
            continue
        try:
            called = resolved(node.func, names)
            if str(getattr(called, "__module__", "")).startswith("cosmith"):
                given = {each.arg: None for each in node.keywords if each.arg}
                inspect.signature(called).bind(*node.args, **given)
        except (AttributeError, TypeError) as error:
            yield f"line {node.lineno}: {ast.unparse(node.func)}: {error}"


@pytest.mark.parametrize("page", PAGES)
def test_what_it_calls_is_there(page: str) -> None:
    names: dict[str, Any] = {}
    assert [each for block in PAGES[page] for each in complaints(block, names)] == []


def test_what_is_not_there_is_found() -> None:
    block = (
        "from cosmith import Encoder, Nothing, train\nEncoder.lode('x')\ntrain(1, [], epochs=3)\nEncoder.load('x')\n"
    )
    assert [each.split(":")[0] for each in complaints(block, {})] == ["line 1", "line 2", "line 3"]
    assert set(RUN) <= set(PAGES)
