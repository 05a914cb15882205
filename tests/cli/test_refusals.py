"""What a user may do wrong on the command line: a line that says what to do, an exit code, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.models import Encoder, tiny_encoder

DOCUMENTS = {"a": "red apples", "b": "green pears", "c": "a river in spring", "d": "a word of length " * 20_000}


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


def refused(*arguments: Any) -> str:
    """The one line that a command says when it does nothing."""
    result = cosmith(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    last = str(result.stderr).splitlines()[-1]
    assert last.startswith("error: "), result.stderr
    return last


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, documents, a test set and pairs in the working folder, `out`, which is otherwise empty."""
    tiny_encoder("bert").save(tmp_path / "model")
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in DOCUMENTS.items()]
    task = tmp_path / "task"
    (task / "qrels").mkdir(parents=True)
    (task / "corpus.jsonl").write_text("".join(lines))
    (task / "queries.jsonl").write_text('{"_id": "q", "text": "apples"}\n')
    (task / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta\t1\n")
    (tmp_path / "documents.jsonl").write_text("".join(lines))
    rows = [json.dumps({"query": f"word {row}", "positive": f"a text {row}"}) + "\n" for row in range(20)]
    (tmp_path / "pairs.jsonl").write_text("".join(rows))
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--epochs", 0], "[--epochs]: must be above 0"),
        (["--dev", 2], "[--dev]: must be below 1"),
        (["--batch-size", 0], "[--batch-size]: must be at least 1"),
        (["--max-length", -1], "[--max-length]: must be at least 1"),
        (["--seed", -1], "[--seed]: must be at least 0"),
        (["--pairs", "absent.jsonl"], "absent.jsonl [--pairs]: no such file"),
    ],
)
def test_train_names_the_option_that_is_wrong(world: Path, options: list[Any], told: str) -> None:
    command = ["train", "--pairs", "../pairs.jsonl", "--model", "../model", "--output", "tuned", *options]
    assert told in refused(*command)
    assert not list(Path().iterdir())


def test_train_names_the_option_of_a_length_that_keeps_nothing(world: Path) -> None:
    train = ["train", "--pairs", "../pairs.jsonl", "--model", "../model", "--output", "tuned", "--max-length", 2]
    assert refused(*train) == (
        "error: [--max-length]: is 2, but must be more than 2 (the special tokens). Give a larger one."
    )


def test_a_column_that_is_not_found_is_named_as_each_command_names_it(world: Path) -> None:
    (world / "pairs.csv").write_text("query,my reply\na,b\n")
    train = ["train", "--pairs", "../pairs.csv", "--model", "../model", "--output", "tuned"]
    run = ["run", "pairs", "--folder", "r", "--set", "data.path=../pairs.csv", "--set", "base=../model"]
    encode = ["encode", "../model", "../pairs.csv", "--output", "v.npy", "--column", "my_reply"]
    told = "pairs.csv [--positive]: no column is called positive or positives or "
    assert told in refused(*train)
    assert refused(*train).endswith("its columns: 'query', 'my reply'. Say which it is: --positive COLUMN.")
    assert refused(*train, "--positive", "my_reply").endswith(
        "pairs.csv [--positive]: has no column 'my_reply'. Did you mean 'my reply'? Say --positive 'my reply'."
    )
    assert "pairs.csv [stages.data.positive]: no column is called" in refused(*run)
    assert refused(*run).endswith("Say which it is: --set data.positive=COLUMN.")
    assert refused(*encode).endswith("Did you mean 'my reply'? Say --column 'my reply'.")
    assert "[--column]: has no column 'my_reply'" in refused(*encode)
    (world / "pairs.csv").write_text("query,positive,Label,LABEL\na,b,1,1\n")
    assert refused(*train).endswith("Call the right one 'label', which goes before the others.")
    assert refused(*run).endswith("Say which: --set data.label=Label.")
    assert not list(Path().iterdir())


def test_a_place_without_a_name_is_no_output(world: Path) -> None:
    told = "has no name of its own. Name a new file or folder within it."
    for place in (".", "..", "/"):
        assert told in refused("index", "../model", "../documents.jsonl", "--output", place)
        assert told in refused("train", "--pairs", "../pairs.jsonl", "--model", "../model", "--output", place)
        with pytest.raises(ValueError, match="has no name"):
            Encoder.load("../model").save(place)
    assert not list(Path().iterdir())


def test_search_refuses_what_is_no_query_and_what_is_no_index(world: Path) -> None:
    assert cosmith("index", "../model", "../documents.jsonl", "-o", "an index").stdout.count(
        "cosmith search 'an index'"
    )
    for query, problem in (("", "is empty"), ("  ", "only whitespace"), ("a\0b", "NUL"), ("a\udcffb", "surrogate")):
        assert problem in refused("search", "an index", "apples", query)
    assert "query number 2" in refused("search", "an index", "apples", "")
    assert "there is no such index" in refused("search", "no index", "apples")
    assert "there is no index.json" in refused("search", "../task", "apples")
    (world / "out" / "an index" / "vectors.npy").unlink()
    assert "Build the index again, with `cosmith index`" in refused("search", "an index", "apples")


def test_evaluate_refuses_before_the_work_what_cannot_be_told_apart(world: Path) -> None:
    evaluate = ["evaluate", "../model", "--task", "../task"]
    assert "is the model itself" in refused(*evaluate, "--against", world / "model")
    assert "two tasks are called 'task'" in refused(*evaluate, "--task", world / "task", "--output", "scores")
    assert "Valid: auto, bf16, float32" in refused(*evaluate, "--precision", "int8")
    assert "there is no such file" in refused("evaluate", "../model", "--task", "absent")
    assert cosmith(*evaluate, "--seed", -1).exit_code == 2
    assert not list(Path().iterdir())


def test_models_of_one_name_are_told_apart_and_cut_texts_are_counted(world: Path) -> None:
    tiny_encoder("bert", seed=1).save(world / "before" / "tuned")
    tiny_encoder("bert").save(world / "after" / "tuned")
    models = ["../after/tuned", "--against", "../before/tuned"]
    result = cosmith("evaluate", *models, "--task", "../task", "--output", "scores")
    assert "../after/tuned over ../before/tuned" in result.stdout
    assert len(list(Path("scores").iterdir())) == 2
    assert result.stderr.count("1 of 4 documents (25 %) is longer than 64 tokens and is cut") == 2


def put_aside_and_cut(said: str) -> bool:
    return "put aside 1 row that cannot be used" in said and "is longer than 64 tokens and is cut" in said


def test_what_is_put_aside_or_cut_is_told_in_every_manner(world: Path) -> None:
    texts = {"a": "red apples", "b": "word " * 100, "c": "  "}
    for corpus in (world / "documents.jsonl", world / "task" / "corpus.jsonl"):
        corpus.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items()))
    tiny_encoder("bert", seed=1).save(world / "other")
    commands = {
        "encode": ["encode", "../model", "../documents.jsonl", "--output", "v.npy"],
        "index": ["index", "../model", "../documents.jsonl", "--output", "an index"],
        "evaluate": ["evaluate", "../model", "--task", "../task", "--output", "scores"],
        "merge": ["merge", "../model", "../other", "--task", "../task", "--split", "test", "--no-general", "--output"],
    }
    values = {}
    for name, command in commands.items():
        for manner in ("plain", "quiet", "json"):
            rest = [f"merged {manner}"] if name == "merge" else []
            result = cosmith(*command, *rest, *([f"--{manner}"] if manner != "plain" else []))
            assert result.exit_code == 0, result.output
            assert put_aside_and_cut(result.stderr) == (manner != "json")
        values[name] = json.loads(result.stdout)
    assert (values["encode"]["rejected"], values["encode"]["cut"]) == (1, 1)
    assert (values["index"]["rejected"], values["index"]["cut"]) == (1, 1)
    for value in (values["evaluate"], values["merge"]["tasks"][0]):
        assert value["rejected"] == 1
        assert [(each["what"], each["count"], each["of"]) for each in value["cut"]] == [
            ("documents", 1, 2), ("queries", 0, 1),
        ]  # fmt: skip
    for name in ("encode", "index", "evaluate"):
        assert len(Path(values[name]["rejected_file"]).read_text().splitlines()) == 1
    assert values["merge"]["tasks"][0]["rejected_file"] is None
    found = cosmith("search", "an index", "word " * 100, "--json")
    assert json.loads(found.stdout)["cut"] is True
    assert "1 of 1 queries (100 %) is longer" in cosmith("search", "an index", "word " * 100, "--quiet").stderr


def test_a_nul_is_put_aside_but_not_in_a_test_set(world: Path) -> None:
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in {"a": "apples", "b": "a\0b"}.items()]
    (world / "task" / "corpus.jsonl").write_text("".join(lines))
    indexed = cosmith("index", "../model", "../task", "--output", "an index", "--json")
    assert json.loads(indexed.stdout)["rejected"] == 1
    told = "corpus.jsonl:2 [text]: the text holds a NUL character. Mend that line, or remove it."
    assert told in refused("evaluate", "../model", "--task", "../task")


def test_vectors_that_are_not_finite_are_not_written(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("encode", "encode_tokens"):
        monkeypatch.setattr(Encoder, way, lambda *_, **__: np.full((4, 32), np.nan, dtype=np.float32))
    assert "not finite for the text 'red apples'" in refused("encode", "../model", "../documents.jsonl", "-o", "v.npy")
    assert not list(Path().iterdir())


def test_a_pipe_is_not_called_empty(world: Path) -> None:
    os.mkfifo("piped.jsonl")
    told = "piped.jsonl: is a pipe, or another thing that can be read only once. Write it to a file first."
    assert told in refused("encode", "../model", "piped.jsonl", "-o", "v.npy")
    assert [file.name for file in Path().iterdir()] == ["piped.jsonl"]


def test_vectors_never_stand_beside_the_ids_of_other_texts(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (world / "one.jsonl").write_text('{"_id": "one", "text": "a text"}\n')
    encode, documents = ("encode", "../model"), (world / "documents.jsonl", world / "one.jsonl")
    replace = Path.replace
    written = ("v.npy", "v.ids.jsonl", "v.manifest.json")
    for killed_at in written:
        assert cosmith(*encode, documents[0], "-o", "v.npy").exit_code == 0
        before = {name: Path(name).read_bytes() for name in written}

        def killed(place: Path, target: Path, at: str = killed_at) -> Path:
            if target.name == at:
                raise SystemExit
            return replace(place, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            cosmith(*encode, documents[1], "-o", "v.npy")
        if Path("v.npy").exists():
            assert {name: Path(name).read_bytes() for name in before} == before
        assert Path("v.ids.jsonl").exists()
        assert "v.npy.shards/000000.npy: is of other texts" in refused(*encode, documents[0], "-o", "v.npy")
        shutil.rmtree("v.npy.shards")


def test_a_place_that_cannot_be_written_is_found_before_the_work(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "encode", None)
    (world / "out" / "file").write_text("")
    for command in ("encode", "index"):
        told = refused(command, "../model", "../documents.jsonl", "-o", "file/v.npy")
        assert "file" in told


def test_scores_that_could_not_be_written_are_not_worked_out(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "load", None)
    monkeypatch.setattr(Encoder, "encode", None)
    (world / "out" / "file").write_text("")
    evaluate = ["evaluate", "../model", "--task", "../task", "--output"]
    assert "is a file, not a folder. Choose another place" in refused(*evaluate, "file/scores")
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert refused(*evaluate, "scores") == (
        "error: scores: may not be written. Choose another folder or change its permissions."
    )


def test_a_run_folder_that_cannot_be_written_is_refused_at_once(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (world / "out" / "file").write_text("")
    run = ["run", "pairs", "--set", "data.path=../pairs.jsonl", "--set", "base=../model", "--folder"]
    for place in ("file", "file/run"):
        assert refused(*run, place).startswith(f"error: {place}: ")
        assert "is a file, not a folder. Choose another place" in refused(*run, place)
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert "run: may not be written. Choose another folder" in refused(*run, "run")
    assert "tuned.run: may not be written. Choose another folder" in refused(
        "train", "--pairs", "../pairs.jsonl", "--model", "../model", "--output", "tuned"
    )
    assert [entry.name for entry in Path().iterdir()] == ["file"]


def test_a_command_that_is_told_to_end_leaves_nothing_half_written(world: Path) -> None:
    code = (
        "import sys, time\nfrom cosmith.cli import main\nfrom cosmith.models import Encoder\n"
        "def slow(*_, **__):\n    print('encoding', flush=True)\n    time.sleep(60)\n"
        "Encoder.encode = slow\nmain(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, "index", "../model", "../documents.jsonl", "-o", "index"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "encoding\n"
        assert list(Path().iterdir())
        process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 30
        assert process.wait(until - time.monotonic()) == 128 + signal.SIGTERM
    assert not list(Path().iterdir())
