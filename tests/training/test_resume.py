"""A run that was killed or interrupted ends with the weights of an undisturbed one."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.errors import CosmithError, InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import Interrupted, train, train_with_result

PROGRAM = Path(__file__).with_name("killed_program.py")
_spec = importlib.util.spec_from_file_location("killed_program", PROGRAM)
assert _spec is not None
assert _spec.loader is not None
program: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[dict[str, Any]]]:
    """The result and the metrics of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    result = train_with_result(program.encoder(), program.SOURCES, program.SETTINGS, folder=folder, dev=program.dev)
    return result, lines(folder)


def lines(folder: Path) -> list[dict[str, Any]]:
    """The metrics but for what depends on the clock."""
    entries = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    timed = {"seconds", "pairs_per_second", "tokens_per_second"}
    return [{name: value for name, value in entry.items() if name not in timed} for entry in entries]


def assert_ends_like(folder: Path, undisturbed: tuple[Any, list[dict[str, Any]]]) -> None:
    expected, metrics = undisturbed
    result = train_with_result(program.encoder(), program.SOURCES, program.SETTINGS, folder=folder, dev=program.dev)
    left, right = result.encoder.module.state_dict(), expected.encoder.module.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in right)
    assert replace(result, encoder=None, seconds=0) == replace(expected, encoder=None, seconds=0)
    assert lines(folder) == metrics
    assert max(Counter((line["step"], "dev" in line) for line in metrics).values()) == 1


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, undisturbed: Any) -> None:
    """Killed twice: in the middle of a step, and with a checkpoint half-written."""
    for where, call in (("step", 75), ("checkpoint", 2)):
        killed = subprocess.run([sys.executable, PROGRAM, tmp_path, where, str(call)], capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    kept = json.loads(next((tmp_path / "checkpoints").glob("[0-9]*/state.json")).read_text())
    assert 0 < kept["progress"]["step"] < program.SETTINGS.steps
    assert list((tmp_path / "checkpoints").glob(".*"))  # the one that was being written
    assert_ends_like(tmp_path, undisturbed)
    assert [place.name for place in (tmp_path / "checkpoints").glob(".*")] == []


@pytest.mark.parametrize("where", ["step", "evaluation"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_run_that_goes_on(
    where: str, number: signal.Signals, tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a step: it is finished first. In an evaluation: it is given up, and made again."""
    calls = itertools.count()

    def disturb() -> None:
        if next(calls) == (30 if where == "step" else 2):
            os.kill(os.getpid(), number)

    def dev(tuned: Encoder) -> float:
        if where == "evaluation":
            disturb()
        return float(program.dev(tuned))

    embed = Encoder.embed

    def disturbed_embed(self: Encoder, *arguments: Any, **keywords: Any) -> torch.Tensor:
        if where == "step" and self.module.training:
            disturb()
        return embed(self, *arguments, **keywords)

    monkeypatch.setattr(Encoder, "embed", disturbed_embed)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match="goes on from there") as error:
        train(program.encoder(), program.SOURCES, program.SETTINGS, folder=tmp_path, dev=dev)
    assert signal.getsignal(number) == before
    monkeypatch.undo()
    state = json.loads(next((tmp_path / "checkpoints").glob("*/state.json")).read_text())
    assert f"after step {state['progress']['step']} of 16" in str(error.value)
    if where == "evaluation":
        assert state["progress"]["step"] == 10
        assert state["progress"]["evaluated"] == 5
    assert_ends_like(tmp_path, undisturbed)


def test_a_second_interrupt_does_not_wait_and_leaves_the_last_checkpoint(
    tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = Encoder.embed
    calls = itertools.count()

    def disturbed(self: Encoder, *arguments: Any, **keywords: Any) -> torch.Tensor:
        if self.module.training and next(calls) == 60:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.2)  # the main thread handles it, which may not be this one
        return embed(self, *arguments, **keywords)

    monkeypatch.setattr(Encoder, "embed", disturbed)
    with pytest.raises(Interrupted):
        train(program.encoder(), program.SOURCES, program.SETTINGS, folder=tmp_path, dev=program.dev)
    monkeypatch.undo()
    state = json.loads(next((tmp_path / "checkpoints").glob("*/state.json")).read_text())
    assert state["progress"]["step"] % 3 == 0
    assert_ends_like(tmp_path, undisturbed)


def test_a_finished_run_is_not_run_again(tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    train(program.encoder(), program.SOURCES, program.SETTINGS, folder=tmp_path, dev=program.dev)
    monkeypatch.setattr("cosmith.training.loop.add_gradients", None)
    assert_ends_like(tmp_path, undisturbed)


def test_another_run_is_refused_and_named(tmp_path: Path) -> None:
    settings = replace(program.SETTINGS, steps=2)
    train(program.encoder(), program.SOURCES, settings, folder=tmp_path)
    with pytest.raises(InputError, match=r"learning_rate: 0\.001 then, 0\.01 now") as error:
        train(program.encoder(), program.SOURCES, replace(settings, learning_rate=0.01), folder=tmp_path)
    assert error.value.field == "settings"
    others = [
        program.SOURCES[0],
        Source.from_rows("second", [TrainingRow("other", ("rows",)), TrainingRow("and", ("more",))]),
    ]
    with pytest.raises(InputError, match="second") as error:
        train(program.encoder(), others, settings, folder=tmp_path)
    assert error.value.field == "sources"
    with pytest.raises(InputError, match="other sources"):
        train(program.encoder(), program.SOURCES[::-1], settings, folder=tmp_path)
    with pytest.raises(InputError, match="another model") as error:
        train(tiny_encoder("bert", seed=1), program.SOURCES, settings, folder=tmp_path)
    assert error.value.field == "model"
    kept = replace(settings, strategy="cached", graph_memory=None, checkpoint_every_steps=None, micro_batch_tokens=99)
    train(program.encoder(), program.SOURCES, kept, folder=tmp_path)  # what changes nothing may change


@pytest.mark.parametrize(
    ("file", "content"),
    [("weights.safetensors", "torn"), ("state.json", "["), ("state.json", "[]"), ("state.json", "{}")],
)
def test_a_damaged_checkpoint_is_named_with_what_to_do(tmp_path: Path, file: str, content: str) -> None:
    settings = replace(program.SETTINGS, steps=2)
    train(program.encoder(), program.SOURCES, settings, folder=tmp_path)
    next((tmp_path / "checkpoints").glob(f"*/{file}")).write_text(content)
    with pytest.raises(CosmithError, match="Remove the folder `checkpoints`") as error:
        train(program.encoder(), program.SOURCES, settings, folder=tmp_path)
    assert str(tmp_path / "checkpoints") in str(error.value)
    shutil.rmtree(tmp_path / "checkpoints")
    train(program.encoder(), program.SOURCES, settings, folder=tmp_path)
