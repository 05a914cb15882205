"""From a model to a smaller one, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.models import Encoder, initialise, tiny_encoder
from cosmith.models.layers import layers_of

WORDS = ("red", "tall", "slow", "warm", "odd", "boat", "idea", "hill")
TEXTS = [f"{a} {b} {c}" for a in WORDS[:4] for b in WORDS for c in ("tree", "song")]


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of four layers, texts, and a test set of graded pairs."""
    folder = tmp_path_factory.mktemp("smaller")
    tiny_encoder("bert", layers=4).save(folder / "deep")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    pairs = [f"{TEXTS[n]}\t{TEXTS[-n - 1]}\t{n % 5}" for n in range(30)]
    (folder / "pairs.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *pairs]))
    return folder


def test_layers(world: Path, tmp_path: Path) -> None:
    given = ("--texts", world / "texts.txt", "--task", world / "pairs.tsv", "--epochs", 2, "--batch-size", 16)
    done = cosmith("compress", "layers", world / "deep", "--keep", 2, "--output", tmp_path / "small", *given)
    assert done.exit_code == 0, done.output
    for told in ("layers dropped", "distilled", "neighbours kept", "spearman", "cosmith evaluate"):
        assert told in done.stdout
    assert len(layers_of(Encoder.load(tmp_path / "small").module["backbone"])) == 2
    again = cosmith("--json", "compress", "layers", world / "deep", "--keep", 2, "--output", tmp_path / "small", *given)
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert [each["event"] for each in events[:-1]] == ["skip"] * 3  # nothing is done twice
    assert events[-1] == {"model": str(tmp_path / "small")}
    assert events[-2]["result"]["forms"][2]["tasks"][0]["task"] == "pairs"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--keep", "x"), "[--keep]: 'x' says no layers"),
        (("--keep", "0"), "[--keep]: '0' says no layers"),
        (("--keep", "4"), "[--keep]: the model has 4 layers"),
        (("--keep", "3,1"), "[--keep]: 3, 1 is not a choice among the layers 0 to 3"),
        (("--keep", "2", "--steps", "3"), "[--steps]: without texts nothing is trained"),
        (("--keep", "2", "--texts", "nothing.txt"), "nothing.txt [--texts]: no such file"),
    ],
)
def test_what_cannot_be_done_is_told_by_its_option(
    given: tuple[str, ...], told: str, world: Path, tmp_path: Path
) -> None:
    done = cosmith("compress", "layers", world / "deep", "--output", tmp_path / "small", *given)
    assert done.exit_code == 1
    assert told in done.stderr
    assert not (tmp_path / "small").exists()


def test_what_is_no_model_of_cosmiths_is_not_replaced(world: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = cosmith("compress", "layers", world / "deep", "--keep", 2, "--output", tmp_path)
    assert done.exit_code == 1
    assert "exists and is not a model that Cosmith made" in done.stderr


def test_vocabulary(world: Path, tmp_path: Path) -> None:
    initialise(TEXTS, vocabulary=350, layers=1, hidden=16, heads=2, backbone="bert").save(world / "wordy")
    (tmp_path / "a.txt").write_text("\n".join(TEXTS[:6]))
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": "warm boat song"}) + "\n")
    given = ("--texts", tmp_path / "a.txt", "--texts", tmp_path / "b.jsonl", "--output", tmp_path / "small")
    done = cosmith("compress", "vocabulary", world / "wordy", *given)
    assert done.exit_code == 0, done.output
    assert "which 7 texts need; their vectors stay what they were" in done.stdout
    assert "held out, " in done.stdout
    whole, small = Encoder.load(world / "wordy"), Encoder.load(tmp_path / "small")
    assert len(small.tokenizer.tokenizer) < len(whole.tokenizer.tokenizer)
    read = [*TEXTS[:6], "warm boat song"]
    np.testing.assert_allclose(small.encode(read), whole.encode(read), atol=1e-6)
    missing = cosmith("compress", "vocabulary", world / "wordy", "--output", tmp_path / "other")
    assert missing.exit_code == 2  # there is nothing to prune by


def test_static(world: Path, tmp_path: Path) -> None:
    given = ("--texts", world / "texts.txt", "--epochs", 2, "--batch-size", 16, "--task", world / "pairs.tsv")
    made = cosmith("compress", "static", world / "deep", "--dimension", 8, "--output", tmp_path / "static", *given)
    assert made.exit_code == 0, made.output
    for told in ("token vectors", "distilled", "in 8", "spearman"):
        assert told in made.stdout
    assert Encoder.load(tmp_path / "static").is_static
    wide = cosmith("compress", "static", world / "deep", "--dimension", 99, "--output", tmp_path / "wide", *given)
    assert wide.exit_code == 1
    assert "[--dimension]: 99 is not between 1 and the model's 32" in wide.stderr
    bare = cosmith("compress", "static", world / "deep", "--dimension", 8, "--output", tmp_path / "bare")
    assert bare.exit_code == 0, bare.output
    assert "distilled" not in bare.stdout


def test_what_is_read_is_not_replaced(world: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert cosmith("compress", "layers", world / "deep", "--keep", 3, "--output", made).exit_code == 0
    (tmp_path / "link").symlink_to(made)
    (made / "texts.txt").write_text("\n".join(TEXTS))
    before = (made / "model.safetensors").read_bytes()
    run = tmp_path / "made.run" / "model" / "model"
    asked: list[tuple[Path, Path, tuple[Any, ...]]] = [
        (made, made, ()), (tmp_path / "link", made, ()), (made, tmp_path / "link", ()), (run, made, ()),
        (world / "deep", made, ("--texts", made / "texts.txt")), (world / "deep", made, ("--task", f"{made}:dev")),
    ]  # fmt: skip
    for model, output, given in asked:
        done = cosmith("compress", "layers", model, "--keep", 1, "--output", output, *given)
        assert done.exit_code == 1
        assert "[--output]: is read from (" in done.stderr, (model, output, given)
    for kind, given in (("layers", ("--keep", 1)), ("static", ()), ("vocabulary", ("--texts", world / "texts.txt"))):
        done = cosmith("compress", kind, made, "--output", made / "small", *given)
        assert done.exit_code == 1
        assert f"[--output]: lies within what is read ({made})" in done.stderr
    assert (made / "model.safetensors").read_bytes() == before
    assert not (made / "small.run").exists()
