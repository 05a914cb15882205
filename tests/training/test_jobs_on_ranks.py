"""Every kind of job gives on two ranks what it gives on one, whether each rank holds all weights or a part of them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from cosmith.errors import InputError
from cosmith.models import initialise_static, tiny_encoder
from cosmith.training.checkpoint import latest_checkpoint
from cosmith.training.contrastive import prepare
from cosmith.training.distributed import Ranks
from cosmith.training.sharding import shard

PROGRAM = Path(__file__).with_name("job_program.py")
_spec = importlib.util.spec_from_file_location("job_program", PROGRAM)
assert _spec is not None
assert _spec.loader is not None
program: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def folder_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def alone(folder_alone: Path) -> Tensors:
    """What one rank gives."""
    found: Tensors = {}
    for name, job in program.JOBS.items():
        found |= program.tensors(name, job(program.SETTINGS, folder_alone / name, program.moved))
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, run_ranks: Callable[..., None]) -> Path:
    """The folder that two gloo ranks have filled, once holding all weights each, once a part."""
    folder = tmp_path_factory.mktemp("both")
    run_ranks(PROGRAM, folder)
    return folder


@pytest.fixture(params=["none", "full"])
def together(request: pytest.FixtureRequest, both: Path) -> Path:
    """What they have done under one of the two settings."""
    return both / str(request.param)


# A word that no text of a step speaks of has next to no gradient, of which Adam makes steps as large as any; the score
# is a sum of such biases.
WORD_BIASES = {"sparse/head.cls.predictions.bias", "sparse/head.cls.predictions.decoder.bias", "sparse/scores"}


def assert_near(name: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """Tensors apart by 1e-5 of the expected one's norm at most."""
    found, expected = found.double(), expected.double()
    apart, size = float((found - expected).norm()), float(expected.norm())
    assert apart <= 1e-5 * size, f"{name}: {apart:.2e} apart, of a norm of {size:.2e}"


def assert_alike(found: Tensors, expected: Tensors) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # A key's bias moves every score of a query alike and has no gradient; Adam makes steps of its rounding errors.
        if name in WORD_BIASES:
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
        elif not name.endswith("key.bias"):
            assert_near(name, found[name], value)


def test_every_job_gives_what_it_gives_on_one_rank(together: Path, alone: Tensors) -> None:
    first, second = (load_file(together / f"rank-{rank}.safetensors") for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    taken = program.TAKEN[together.name]
    for name in taken:
        assert (
            name == "adapted" or first[f"{name}/scores"][1] > first[f"{name}/scores"][0]
        )  # else the base would end it
    assert_alike(
        {name: value for name, value in first.items() if not name.startswith("resumed ")},
        {name: value for name, value in alone.items() if name.partition("/")[0] in taken},
    )


def test_a_run_that_failed_goes_on_to_the_same_weights(together: Path) -> None:
    found = load_file(together / "rank-0.safetensors")
    resumed = {name.removeprefix("resumed "): value for name, value in found.items() if name.startswith("resumed ")}
    assert {name.partition("/")[0] for name in resumed} == set(program.RESUMED[together.name])
    for name, value in resumed.items():
        assert torch.equal(value, found[name]), name


def test_a_run_goes_on_alone(together: Path, alone: Tensors, tmp_path: Path) -> None:
    assert (together / "left" / "checkpoints").is_dir()
    result = program.contrastive(program.SETTINGS, together / "left", program.moved)
    assert_alike(
        program.tensors("contrastive", result),
        {name: value for name, value in alone.items() if name.startswith("contrastive/")},
    )


def test_losses_and_what_is_watched_are_those_of_one_rank(together: Path, alone: Tensors, folder_alone: Path) -> None:
    for name in program.TAKEN[together.name]:
        found, expected = (metrics(folder / name) for folder in (together, folder_alone))
        assert len(found) == len(expected)
        for here, there in zip(found, expected, strict=True):
            assert here.keys() == there.keys()
            for figure, value in there.items():
                if figure == "loss" or figure.startswith(("gradient_norm", "update_ratio")):
                    assert here[figure] == pytest.approx(value, rel=1e-5 if figure == "loss" else 1e-3), (name, figure)


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def said(folder: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def test_what_the_first_rank_cannot_write_ends_all_with_the_same_words(together: Path) -> None:
    kinds, words = zip(*(each["refused"].split(": ", 1) for each in said(together)), strict=True)
    assert kinds == ("StorageError", "CosmithError")
    assert words[0] == words[1]
    assert "refused/checkpoints: a file stands in the place of this folder" in words[0]


def test_a_signal_to_one_rank_stops_all_behind_the_step(together: Path) -> None:
    first, second = (each["interrupted"] for each in said(together))
    assert first == second
    assert "after step 2 of 3" in first
    assert latest_checkpoint(together / "interrupted") is not None


def test_a_step_that_fails_is_explained(together: Path) -> None:
    first, second = (each["poisoned"] for each in said(together))
    assert "the weight `backbone.encoder.layer.1.output.dense.weight` holds a number that is none" in first
    assert "The first process says why" in second
    assert (together / "poisoned" / "health" / "step-1" / "batch.json").is_file()


def test_each_rank_holds_a_part(both: Path) -> None:
    for each in said(both / "full"):
        part, whole = each["held"]
        assert part < 0.51 * whole  # all but the norm above the layers


def test_a_single_process_shards_nothing(alone: Tensors, tmp_path: Path) -> None:
    result = program.contrastive(replace(program.SETTINGS, sharding="full"), tmp_path, program.moved)
    for name, value in program.tensors("contrastive", result).items():
        assert torch.equal(value, alone[name]), name


def test_a_model_whose_layers_cannot_be_told_is_refused() -> None:
    static = initialise_static(tiny_encoder("bert").tokenizer.tokenizer, dimension=8)
    job = prepare(static, [program.SOURCE], program.SETTINGS)
    with pytest.raises(InputError, match=r"the layers of a backbone .* cannot be told.*sharding"):
        shard(job, Ranks(0, 2, sharded=True))
