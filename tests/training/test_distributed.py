"""Two ranks give what one rank gives."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from cosmith.training.distributed import ALONE, Ranks, deal

PROGRAM = Path(__file__).with_name("rank_program.py")
LAUNCH = Path(__file__).parents[2] / "examples" / "launch"
_spec = importlib.util.spec_from_file_location("rank_program", PROGRAM)
assert _spec is not None
assert _spec.loader is not None
program: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)


def assert_near(name: str, found: torch.Tensor, expected: torch.Tensor, floor: float = 0.0) -> None:
    """Tensors apart by 1e-5 of the expected one's norm at most, or of a ``floor`` that the norm may be below."""
    found, expected = found.double(), expected.double()
    apart, size = float((found - expected).norm()), max(float(expected.norm()), floor)
    assert apart <= 1e-5 * size, f"{name}: {apart:.2e} apart, of a norm of {size:.2e}"


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory, run_ranks: Callable[..., None]) -> Path:
    """The folder that two gloo ranks have filled."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(PROGRAM, folder)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """What one process gives."""
    expected: dict[str, torch.Tensor] = program.everything(ALONE, tmp_path_factory.mktemp("alone"))
    return expected


def assert_are_one(folder: Path, expected: dict[str, torch.Tensor]) -> None:
    """What two ranks have written is alike, and what one process gives."""
    first, second = (load_file(folder / f"rank-{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys() == expected.keys()
    whole: dict[str, float] = {}  # the norm of all gradients of a step
    for name, value in expected.items():
        step = name.rpartition("/")[0]
        whole[step] = math.hypot(whole.get(step, 0.0), float(value.norm()))
    for name, value in expected.items():
        assert torch.equal(first[name], second[name]), name
        # A key's bias moves every score of a query alike and has no gradient but rounding errors, of which Adam makes
        # steps. They are held against the whole gradient.
        if not name.endswith("key.bias"):
            assert_near(name, first[name], value)
        elif not name.startswith("trained/"):
            assert_near(name, first[name], value, floor=whole[name.rpartition("/")[0]])


def test_two_ranks_are_one(two_ranks: Path, alone: dict[str, torch.Tensor]) -> None:
    """Gradients of Sources of different width, direct and cached, with and without dropout, and of a user's own loss; a
    rank without texts; a whole run."""
    assert all(any(name.startswith(f"{each}/{which}") for name in alone)
               for each in program.STRATEGIES for which in ("1/0.3/", "own/"))  # fmt: skip
    assert_are_one(two_ranks, alone)


def test_two_processes_of_accelerate_launch_are_one(tmp_path: Path, alone: dict[str, torch.Tensor]) -> None:
    """By the file for one machine of examples/launch, with two processes on the CPU in place of eight on GPUs."""
    pytest.importorskip("accelerate.commands.launch", reason="accelerate is not installed")
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", LAUNCH / "accelerate-one-node.yaml",
        "--num_processes", "2", "--main_process_port", "0", PROGRAM, tmp_path,
    ]  # fmt: skip
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    launched = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert launched.returncode == 0, launched.stderr
    assert_are_one(tmp_path, alone)


def test_only_the_first_rank_writes(two_ranks: Path) -> None:
    lines = [json.loads(line) for line in (two_ranks / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if "dev" in line] == [0, 2, 4, 6]
    assert {line["source"] for line in lines if "loss" in line} == {"classes", "narrow", "wide"}


def test_ranks_that_do_not_agree_are_refused_on_every_rank(two_ranks: Path) -> None:
    for rank in (0, 1):
        assert "do not have the same model" in (two_ranks / f"refusal-{rank}").read_text()


def test_a_score_that_the_first_rank_cannot_work_out_ends_all(two_ranks: Path) -> None:
    assert (two_ranks / "failure-0").read_text() == "FileNotFoundError: the development set is gone"
    assert (
        (two_ranks / "failure-1")
        .read_text()
        .startswith("CosmithError: [dev]: the first process could not work out the dev score.")
    )


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(1, 9))
def test_micro_batches_are_dealt_evenly(costs: list[int], world: int) -> None:
    dealt = deal(costs, world)
    assert sorted(number for numbers in dealt for number in numbers) == list(range(len(costs)))
    loads = [sum(costs[number] for number in numbers) for numbers in dealt]
    assert max(loads) - min(loads) <= max(costs, default=0)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(1, 9))
def test_ranks_that_share_the_weights_have_as_many_turns(costs: list[int], world: int) -> None:
    ranks = [Ranks(rank, world, sharded=True) for rank in range(world)]
    dealt = ranks[0].deal(costs)
    assert sorted(number for numbers in dealt for number in numbers) == list(range(len(costs)))
    turns = {len(numbers) + rank.idle_turns(dealt) for rank, numbers in zip(ranks, dealt, strict=True)}
    assert turns == {-(-len(costs) // world)}


@given(st.integers(0, 100), st.integers(1, 9))
def test_rows_are_shared_out(count: int, world: int) -> None:
    shares = [Ranks(rank, world).rows(count) for rank in range(world)]
    assert [row for share in shares for row in range(count)[share]] == list(range(count))
