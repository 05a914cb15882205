"""Whatever stands in the place of a model: a folder of any kind, a file, a service; and smaller vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.evaluation import Contestant, judged_queries
from cosmith.evaluation.task_files import read_task
from cosmith.models import (
    CrossEncoder,
    Encoder,
    LateInteractionEncoder,
    RemoteEncoder,
    SparseEncoder,
    kind_of,
    load_word_vectors,
    tiny_cross_encoder,
    tiny_encoder,
)
from cosmith.retrieval import search_sparse
from cosmith.services import Service

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]
SECRET = "sk-very-secret-4321"


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


def scored(*arguments: Any) -> dict[str, float]:
    """The values of the first model."""
    result = cosmith("--json", "evaluate", *arguments, "--precision", "float32")
    assert result.exit_code == 0, result.output
    values: dict[str, float] = json.loads(result.stdout.splitlines()[0])["models"][0]["values"]
    return values


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each kind, and a task of each kind that they differ in."""
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "dense")
    tiny_cross_encoder("bert").save(folder / "cross")
    tiny_cross_encoder("qwen3").save(folder / "qwen3")
    SparseEncoder.from_encoder(tiny_encoder("bert")).save(folder / "sparse")
    LateInteractionEncoder.from_encoder(tiny_encoder("bert")).save(folder / "late")
    documents = {f"d{n}": f"all about the {word} and {'its parts ' * n}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is a {word}" for n, word in enumerate(WORDS)}
    Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(12)}).write_beir(folder / "task")
    lists = [
        {"query": word, "positive": [f"{word} pie"], "negative": [f"{other} pie" for other in WORDS if other != word]}
        for word in WORDS
    ]
    (folder / "lists.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lists))
    pairs = ["sentence1\tsentence2\tscore", "red apples\tgreen apples\t4", "a river\tcode\t0", "a list\tlists\t5"]
    (folder / "pairs.tsv").write_text("\n".join(pairs) + "\n")
    rng = np.random.default_rng(0)
    lines = [
        f"{word} {' '.join(f'{number:.4f}' for number in rng.normal(size=16))}" for word in [*WORDS, "pie", "about"]
    ]
    (folder / "glove.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_folders_say_what_they_hold(world: Path) -> None:
    kinds = {name: kind_of(world / name) for name in ("dense", "cross", "qwen3", "sparse", "late")}
    assert kinds == {"dense": "dense", "cross": "cross-encoder", "qwen3": "cross-encoder", "sparse": "sparse",
                     "late": "late-interaction"}  # fmt: skip


def test_a_cross_encoder_reads_what_another_finds(world: Path) -> None:
    task = read_task(world / "task").task
    collection = Collection.read_beir(world / "task")
    model = CrossEncoder.load(world / "cross")
    # Of all documents there are, so that it does not matter what finds them: the order is the cross-encoder's alone.
    queries, ids = [collection.queries[name] for name in judged_queries(collection)], list(collection.documents)
    scores = np.stack([model.score([query] * len(ids), list(collection.documents.values())) for query in queries])
    ranks = [1 + int((row > row[number]).sum()) for number, row in enumerate(scores)]
    expected = np.mean([1 / np.log2(rank + 1) if rank <= 10 else 0 for rank in ranks])
    values = scored(world / "cross", "--candidates", world / "dense", "--task", world / "task")
    assert values["ndcg@10"] == pytest.approx(expected, abs=1e-6)
    # With one document read, the order is that of what finds them.
    dense = scored(world / "dense", "--task", world / "task")
    assert scored(world / "cross", "--candidates", world / "dense", "--read", 1, "--task", world / "task") == dense
    assert dense["ndcg@10"] != values["ndcg@10"]
    # BM25 is what finds them where nothing is said, here one document for each query.
    bm25, hits = Contestant.bm25().score(task)
    assert bm25.value == scored("bm25", "--task", world / "task")["ndcg@10"]
    assert scored(world / "cross", "--task", world / "task")["ndcg@10"] == bm25.value
    assert hits is not None
    assert (hits.ids[0, :2] == ["d0", ""]).all()
    refused = cosmith("evaluate", world / "cross", "--candidates", world / "qwen3", "--task", world / "task")
    assert "[--candidates]: is a cross-encoder, too, which cannot search" in refused.stderr
    for command, told in (
        (["evaluate", world / "cross", "--candidates", world / "cross"], "[--candidates]: is the cross-encoder itself"),
        (["evaluate", world / "dense", "--candidates", "bm25"], "[--candidates]: no cross-encoder is scored here"),
        (["compare", world / "dense", "bm25", "--read", 5], "[--read]: no cross-encoder is scored here"),
        (["compare", "bm25", "--dim", 5], "[--dim]: no vectors are compared here"),
    ):
        refused = cosmith(*command, "--task", world / "task")
        assert refused.exit_code == 1
        assert told in refused.stderr


def test_candidates_are_put_in_order_by_each_kind(world: Path) -> None:
    data = read_task(world / "lists.jsonl").task.data
    scorers = {
        "cross": CrossEncoder.load(world / "cross"),
        "late": LateInteractionEncoder.load(world / "late"),
        "sparse": SparseEncoder.load(world / "sparse"),
    }
    for name, scorer in scorers.items():
        ranks = []
        for query, right, wrong in zip(data.queries, data.positives, data.negatives, strict=True):
            found = scorer.score([query] * 12, [*right, *wrong])
            ranks.append(1 + int((found[1:] >= found[0]).sum()))
        values = scored(world / name, "--task", world / "lists.jsonl")
        assert values["map@1000"] == pytest.approx(np.mean([1 / rank for rank in ranks])), name
    (world / "languages").mkdir()
    lines = (world / "lists.jsonl").read_text().splitlines(keepends=True)
    for number, language in enumerate(("deu", "eng")):
        (world / "languages" / f"{language}.jsonl").write_text("".join(lines[number::2]))
    whole, parts = (scored(world / "cross", "--task", world / name) for name in ("lists.jsonl", "languages"))
    assert parts["map@1000"] == pytest.approx(whole["map@1000"])  # of two sets of one size
    told = cosmith("compare", *(world / name for name in scorers), world / "dense", "--task", world / "lists.jsonl")
    assert told.exit_code == 0, told.output


def test_sparse_pairs_are_scored_by_their_dot_products(world: Path) -> None:
    model = SparseEncoder.load(world / "sparse")
    queries, documents = ["apple", "drum", "apple"], ["apple pie", "a cloud", ""]
    asked, read = model.encode(queries, prompt="query"), model.encode(documents, prompt="document")
    expected = np.einsum("ij,ij->i", asked.dense(), read.dense())
    assert model.score(queries, documents) == pytest.approx(expected, rel=1e-5)
    positions, scores = search_sparse(asked, read, 3)
    assert scores[0][positions[0] == 0] == pytest.approx(model.score(["apple"], ["apple pie"]), rel=1e-5)


def test_all_kinds_search_and_what_they_cannot_do_is_refused_before_any_work(world: Path) -> None:
    kinds = ("dense", "cross", "sparse", "late", "glove.txt")
    told = cosmith("--json", "compare", *(world / kind for kind in kinds), "bm25", "--task", world / "task")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["models"] == [*kinds, "bm25"]
    for kind in ("cross", "sparse", "late"):
        refused = cosmith(
            "compare", "bm25", world / kind, "--task", world / "lists.jsonl", "--task", world / "pairs.tsv"
        )
        assert refused.exit_code == 1
        assert "bm25 cannot be scored on pairs.tsv, which is a task of the kind sts" in refused.stderr
        refused = cosmith("evaluate", world / kind, "--task", world / "pairs.tsv")
        assert f"{kind} cannot be scored on pairs.tsv, which is a task of the kind sts" in refused.stderr
        assert "Give it retrieval or reranking tasks" in refused.stderr
        refused = cosmith("evaluate", world / kind, "--task", world / "task", "--query-prompt", "q: ")
        assert f"[--query-prompt]: prompts can be given to dense models only, and {kind} is a" in refused.stderr
        refused = cosmith("evaluate", world / kind, "--task", world / "task", "--dims", "8")
        assert f"[--dims]: {kind} makes no vector of a text" in refused.stderr


def test_word_vectors_are_scored_on_tasks_of_texts(world: Path) -> None:
    assert scored(world / "glove.txt", "--task", world / "task")["ndcg@10"] == 1.0
    values = scored(world / "glove.txt", "--task", world / "lists.jsonl", "--dim", 8)
    assert values["map@1000"] > 0.5
    load_word_vectors(world / "glove.txt").save(world / "static")  # a folder of sentence-transformers' StaticEmbedding
    assert kind_of(world / "static") == "dense"
    assert scored(world / "static", "--task", world / "lists.jsonl", "--dim", 8) == values


def test_prompts_stand_before_queries_and_documents(world: Path) -> None:
    given = scored(
        world / "dense", "--query-prompt", "query: ", "--document-prompt", "passage: ", "--task", world / "task"
    )
    encoder = Encoder.load(world / "dense").set_prompts({"query": "query: ", "document": "passage: "})
    expected = read_task(world / "task").task.evaluate(encoder)
    assert given == pytest.approx(dict(expected.values))
    assert given != scored(world / "dense", "--task", world / "task")


def test_a_service_is_evaluated_and_its_key_goes_nowhere_else(
    world: Path, language_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    with language_model() as model:
        address = f"{model.url}#org/stand-in"
        command = (
            "evaluate",
            address,
            "--key-variable",
            "SOME_KEY",
            "--query-prompt",
            "find: ",
            "--task",
            world / "task",
        )
        first = cosmith(*command)
        assert first.exit_code == 0, first.output
        assert "stand-in" in first.stdout
        assert model.headers["Authorization"] == f"Bearer {SECRET}"
        assert sum(text.startswith("find: what is") for text in model.answered) == 12
        asked = len(model.answered)
        again = cosmith(*command)
        assert again.stdout == first.stdout
        assert model.answered[asked:] == ["dimension"]
        expected = read_task(world / "task").task.evaluate(
            RemoteEncoder(Service(model.url, "org/stand-in"), prompts={"query": "find: "})
        )
        assert f"{expected.value:.4f}" in first.stdout
        compared = cosmith("compare", address, "bm25", "--task", world / "task", "--task", world / "task" / "none")
        assert compared.exit_code == 1
        swept = cosmith("evaluate", address, "--dims", "32", "--precisions", "int8", "--task", world / "pairs.tsv")
        assert "32 int8" in swept.stdout, swept.output
        for result in (first, again, compared, swept):
            assert SECRET not in result.output
    for arguments, told in (
        ((address, "--against", "https://example.com/v1#m"), "the key would go to 127.0.0.1"),
        ((world / "dense",), "[--key-variable]: there is no service that needs it"),
    ):
        refused = cosmith("evaluate", *arguments, "--key-variable", "SOME_KEY", "--task", world / "task")
        assert refused.exit_code == 1
        assert told in refused.stderr
    monkeypatch.delenv("SOME_KEY")
    refused = cosmith("evaluate", address, "--key-variable", "SOME_KEY", "--task", world / "task")
    assert "[--key-variable]: the environment variable SOME_KEY is not set" in refused.stderr
    refused = cosmith("evaluate", "https://example.com/v1", "--task", world / "task")
    assert "https://example.com/v1 names no model" in refused.stderr


def test_a_sweep_has_a_row_a_form_and_files_that_can_be_compared(world: Path, tmp_path: Path) -> None:
    command = ["evaluate", world / "dense", "--dims", "32, 8", "--precisions", "float32,int8,binary"]
    tasks = ["--task", world / "task", "--task", world / "pairs.tsv"]
    result = cosmith("--json", *command, *tasks, "--precision", "float32", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    search, pairs, averages = map(json.loads, result.stdout.splitlines())
    assert averages["tasks"] == ["task", "pairs.tsv"]
    assert [(row["dim"], row["precision"], row["bytes"]) for row in search["forms"]] == [
        (32, "float32", 128), (32, "int8", 32), (32, "binary", 4), (8, "float32", 32), (8, "int8", 8), (8, "binary", 1),
    ]  # fmt: skip
    assert (pairs["task"], pairs["kind"], pairs["forms"][0]["main"]) == ("pairs.tsv", "sts", "spearman")
    assert search["forms"][3]["values"] == pytest.approx(scored(world / "dense", "--dim", 8, "--task", world / "task"))
    shown = cosmith(*command, *tasks)
    assert "over the full ones" in shown.stdout
    assert "8 binary" in shown.stdout
    files = [tmp_path / f"task--dense{form}.json" for form in ("", ", 8 binary")]
    assert cosmith("compare", *files).exit_code == 0
    assert json.loads((tmp_path / "task--dense.sweep.json").read_text()) == search


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--dims", "33"], "[--dims]: 33 is not between 1 and the model's 32"),
        (["--dims", "a,8"], "[--dims]: 'a' is not a length of vectors"),
        (["--dims", ","], "[--dims]: ',' is not a length of vectors"),
        (["--precisions", "int4"], "[--precisions]: there is no form of vectors 'int4'"),
        (["--precisions", "int8", "--against", "late"], "[--against]: does not go with --precisions"),
        (["--dims", "8", "--dim", "8"], "[--dim]: does not go with --dims"),
    ],
)
def test_sweeps_that_make_no_sense_are_refused(
    world: Path, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    refused = cosmith("evaluate", "dense", "--task", "task", *options)
    assert refused.exit_code == 1
    assert told in refused.stderr
