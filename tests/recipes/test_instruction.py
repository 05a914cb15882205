"""A model that takes instructions reads a query alike in every room: it would be measured by another use otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cosmith.cli.app import app
from cosmith.data import Collection, RaggedTokens, Source
from cosmith.models import Encoder, tiny_encoder
from cosmith.recipes import StageEvent, load_recipe, parse_document, run_recipe

TASK = "find the words"
PROMPTS = {"query": "Instruct: {task}\nQuery:{query}", "document": "text: "}
STAGES = """\
  mined: {kind: mine, source: data.train, ratio: null}
  train: {kind: train, sources: mined, dev: data.dev, steps: 2, batch_size: 8, evaluate_every: 1}
  scores: {kind: evaluate, models: [base, train], tasks: data.test}
  index: {kind: index, model: train, documents: data.test, examples: 2}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, prompts=PROMPTS)
    return encoder.save(tmp_path_factory.mktemp("instructed") / "base")


class Reader:
    """Notes which token ids a text was given, where."""

    def __init__(self, tokenize: Callable[..., RaggedTokens]) -> None:
        self.where, self.tokenize = "", tokenize
        self.read: dict[tuple[str, str], set[tuple[int, ...]]] = {}

    def note(self, texts: Sequence[str], tokens: RaggedTokens) -> None:
        for number, text in enumerate(texts):
            ids = tuple(tokens.values[tokens.offsets[number] : tokens.offsets[number + 1]].tolist())
            self.read.setdefault((self.where, text), set()).add(ids)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    noted = Reader(Encoder.tokenize)

    def tokenize(self: Encoder, texts: Sequence[str], **options: Any) -> RaggedTokens:
        tokens = noted.tokenize(self, texts, **options)
        noted.note(texts, tokens)
        return tokens

    monkeypatch.setattr(Encoder, "tokenize", tokenize)
    return noted


def run(base: Path, data: str, folder: Path, reader: Reader) -> None:
    text = f"name: t\nbase: {base}\nprecision: float32\nstages:\n  data: {data}\n{STAGES}"

    def listen(event: StageEvent) -> None:
        reader.where = event.stage

    run_recipe(load_recipe(parse_document(text)), folder, listen=listen)


def test_a_query_has_the_same_tokens_in_training_mining_dev_evaluation_and_search(
    base: Path, small_world: Path, tmp_path: Path, reader: Reader
) -> None:
    data = f"{{kind: source, path: {small_world / 'pairs.jsonl'}, instruction: {TASK}, dev: 0.2, test: 0.2}}"
    run(base, data, tmp_path / "run", reader)
    train = Source.load(tmp_path / "run" / "data" / "train")
    dev, test = (Collection.read_beir(tmp_path / "run" / "data" / name) for name in ("dev", "test"))
    assert dev.instruction == test.instruction == TASK
    rows = {row.query for row in train.rows()}
    queries = {"mined": rows, "train": rows | set(dev.queries.values()), "scores": set(test.queries.values())}
    for where, texts in queries.items():
        assert texts <= {text for place, text in reader.read if place == where}, where

    reader.where = "search"
    found = CliRunner().invoke(app, ["search", str(tmp_path / "run" / "index" / "index"), "gen cup"])
    assert found.exit_code == 0, found.output
    asked = {"gen cup"} | set.union(*queries.values())
    tokenizer = Encoder.load(base).tokenizer
    seen = 0
    for (where, text), ids in reader.read.items():
        if text in asked:
            expected = tokenizer([f"Instruct: {TASK}\nQuery:{text}"], 64).values.tolist()
            assert ids == {tuple(expected)}, (where, text)
            seen += 1
    assert seen > len(asked)


def test_a_collection_brings_its_instruction_and_its_stage_may_say_another(
    base: Path, tmp_path: Path, reader: Reader
) -> None:
    documents = {f"d{n}": f"word{n} and more" for n in range(40)}
    queries = {f"q{n}": f"word{n}" for n in range(40)}
    whole = Collection("c", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(40)}, instruction=TASK)
    for split, numbers in (("train", range(20)), ("test", range(20, 40))):
        names = [f"q{n}" for n in numbers]
        part = Collection(
            "c", documents, {name: queries[name] for name in names}, {name: whole.relevance[name] for name in names},
            instruction=TASK,
        )  # fmt: skip
        part.write_beir(tmp_path / "task", split)
    for said, expected in (("", TASK), (", instruction: another", "another"), (', instruction: ""', "")):
        folder = tmp_path / f"run {expected}"
        data = f"{{kind: collection, path: {tmp_path / 'task'}, train_split: train, dev: 0.25{said}}}"
        run(base, data, folder, reader)
        for name in ("dev", "test"):
            assert Collection.read_beir(folder / "data" / name).instruction == expected
        assert Source.load(folder / "data" / "train").settings.instruction == expected


def test_the_commands_take_an_instruction(base: Path, tmp_path: Path, reader: Reader) -> None:
    encoder = Encoder.load(base)

    def cosmith(*arguments: object) -> str:
        reader.read.clear()
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exit_code == 0, result.output
        return str(result.output)

    def ids(text: str) -> set[tuple[int, ...]]:
        return {tuple(encoder.tokenizer([text], 64).values.tolist())}

    lines = "".join(json.dumps({"_id": name, "text": name}) + "\n" for name in ("apples", "pears"))
    texts, vectors = tmp_path / "texts.jsonl", tmp_path / "v.npy"
    texts.write_text(lines)
    cosmith("encode", base, texts, "-o", vectors, "--prompt", "query", "--instruction", "a")
    assert reader.read["", "apples"] == ids("Instruct: a\nQuery:apples")

    cosmith("index", base, texts, "-o", tmp_path / "index", "--instruction", "b")
    assert reader.read["", "apples"] == ids("text: apples")
    cosmith("search", tmp_path / "index", "fruit")
    assert reader.read["", "fruit"] == ids("Instruct: b\nQuery:fruit")
    cosmith("search", tmp_path / "index", "fruit", "--instruction", "c")
    assert reader.read["", "fruit"] == ids("Instruct: c\nQuery:fruit")

    task = Collection("t", {"1": "apples"}, {"q": "fruit"}, {"q": {"1": 1}}, instruction="its own")
    task.write_beir(tmp_path / "task")
    cosmith("evaluate", base, "--task", tmp_path / "task")
    assert reader.read["", "fruit"] == ids("Instruct: its own\nQuery:fruit")
    cosmith("evaluate", base, "--task", tmp_path / "task", "--instruction", "d")
    assert reader.read["", "fruit"] == ids("Instruct: d\nQuery:fruit")
    (tmp_path / "sts.csv").write_text("sentence1,sentence2,score\napples,fruit,4\na river,code,0\n")
    cosmith("evaluate", base, "--task", tmp_path / "sts.csv", "--instruction", "e")
    assert reader.read["", "fruit"] == ids("Instruct: e\nQuery:fruit")
    cosmith("evaluate", base, "--task", tmp_path / "sts.csv")
    assert reader.read["", "fruit"] == ids("fruit")

    plain = tiny_encoder("bert").save(tmp_path / "plain")
    refused = CliRunner().invoke(
        app, ["encode", str(plain), str(texts), "-o", str(tmp_path / "w.npy"), "--instruction", "a"]
    )
    assert refused.exit_code == 1
    assert "[--instruction]: the default prompt of plain has no {task}" in refused.stderr
    assert not (tmp_path / "w.npy").exists()
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"query": f"q{n}", "positive": f"d{n}"}) + "\n" for n in range(20)))
    asked = ["train", "--pairs", str(pairs), "--model", str(plain), "-o", str(tmp_path / "t"), "--instruction", "a"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "[--instruction]: the prompt 'query' of plain has no {task}" in refused.stderr
    assert not (tmp_path / "t.run").exists()


def test_text_pairs_of_a_recipe_are_read_as_in_training(base: Path, tmp_path: Path, reader: Reader) -> None:
    (tmp_path / "sts.csv").write_text("sentence1,sentence2,score\napples,fruit,4\na river,code,0\n")
    data = f"{{kind: sts, path: {tmp_path / 'sts.csv'}, instruction: {TASK}}}"
    text = f"name: t\nbase: {base}\nstages:\n  data: {data}\n  scores: {{kind: evaluate, tasks: data}}\n"
    run_recipe(load_recipe(parse_document(text)), tmp_path / "run")
    expected = Encoder.load(base).tokenizer([f"Instruct: {TASK}\nQuery:apples"], 64).values.tolist()
    assert reader.read["", "apples"] == {tuple(expected)}
