"""Negatives that are mined anew along the way, and a run with them that goes on to the same bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import Interrupted, Remining, TrainingSettings, train, train_with_result

ROWS = [TrainingRow(f"query {number}", (f"answer {number * number}",)) for number in range(40)]
GIVEN = mine_hard_negatives(tiny_encoder("bert"), Source.from_rows("mined", ROWS), ratio=None).source
OTHER = Source.from_rows("other", ROWS[:16])
# 56 rows, 8 a step: seven steps an epoch, so versions begin with the steps 7 and 14.
SETTINGS = TrainingSettings(steps=18, batch_size=8, learning_rate=5e-3, precision="float32", checkpoint_every_steps=4,
                            micro_batch_tokens=60, graph_memory=200_000)  # fmt: skip


class Miner:
    """Mines with the model as it is, and remembers how often; ``stop_at``: that call ends in an interrupt."""

    def __init__(self, stop_at: int = 0) -> None:
        self.calls, self.stop_at = 0, stop_at

    def __call__(self, encoder: Encoder, folder: Path) -> dict[str, Source]:
        assert not encoder.module.training
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        source = Source.from_rows("mined", ROWS)
        return {"mined": mine_hard_negatives(encoder, source, ratio=None, folder=folder).source}


def run(folder: Path, miner: Any, **options: Any) -> Encoder:
    remine = Remining(1.0, miner, {"negatives": 1})
    return train(tiny_encoder("bert", dropout=0.2), [GIVEN, OTHER], SETTINGS, folder=folder, remine=remine, **options)


def same(one: Encoder, other: Encoder) -> bool:
    left, right = one.module.state_dict(), other.module.state_dict()
    return all(torch.equal(left[name], right[name]) for name in right)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return run(folder, Miner()), folder


def test_each_version_is_mined_with_the_weights_before_it(undisturbed: tuple[Encoder, Path], tmp_path: Path) -> None:
    tuned, folder = undisturbed
    versions = [Source.load(folder / "mined" / name / "mined") for name in ("000001", "000002")]
    assert not (folder / "mined" / "000003").exists()
    assert not (folder / "mined" / ".search").exists()
    halfway = train_with_result(
        tiny_encoder("bert", dropout=0.2), [GIVEN, OTHER], SETTINGS, folder=tmp_path, remine=Remining(1, Spy(), {})
    )
    assert same(halfway.encoder, tuned)
    for version, weights in zip(versions, Spy.seen, strict=True):
        encoder = tiny_encoder("bert")
        encoder.module.load_state_dict(weights)
        expected = mine_hard_negatives(encoder, Source.from_rows("mined", ROWS), ratio=None).source
        assert [row.negatives for row in version.rows()] == [row.negatives for row in expected.rows()]
    assert versions[0].fingerprint() != versions[1].fingerprint()
    assert not same(tuned, train(tiny_encoder("bert", dropout=0.2), [GIVEN, OTHER], SETTINGS))
    state = json.loads(next((folder / "checkpoints").glob("*/state.json")).read_text())
    assert state["progress"]["mined"] == "mined/000002"


class Spy(Miner):
    """Keeps the weights that it mines with."""

    seen: list[dict[str, torch.Tensor]] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        Spy.seen.clear()

    def __call__(self, encoder: Encoder, folder: Path) -> dict[str, Source]:
        Spy.seen.append({name: value.clone() for name, value in encoder.module.state_dict().items()})
        return super().__call__(encoder, folder)


@pytest.mark.parametrize("stop_at", [1, 2])
def test_interrupted_while_it_mines_it_mines_again(undisturbed: Any, tmp_path: Path, stop_at: int) -> None:
    with pytest.raises(Interrupted, match=f"after step {7 * stop_at} of 18"):
        run(tmp_path, Miner(stop_at))
    again = Miner()
    assert same(run(tmp_path, again), undisturbed[0])
    assert again.calls == 3 - stop_at


@pytest.mark.parametrize("calls", [18, 60, 75])
def test_interrupted_in_a_step_it_reads_the_version_that_it_was_on(
    undisturbed: Any, tmp_path: Path, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed, count = Encoder.embed, iter(range(calls))

    def disturbed(self: Encoder, *arguments: Any, **keywords: Any) -> torch.Tensor:
        if self.module.training and next(count, None) is None:
            raise KeyboardInterrupt
        return embed(self, *arguments, **keywords)

    monkeypatch.setattr(Encoder, "embed", disturbed)
    with pytest.raises(Interrupted):
        run(tmp_path, Miner())
    monkeypatch.undo()
    assert same(run(tmp_path, Miner()), undisturbed[0])


def test_what_a_checkpoint_needs_and_what_does_not_fit_is_told(undisturbed: Any, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path, Miner(2))
    shutil.rmtree(tmp_path / "mined")
    checkpoint = next((tmp_path / "checkpoints").glob("*/state.json"))
    state = json.loads(checkpoint.read_text())
    state["progress"]["step"] = 10
    checkpoint.write_text(json.dumps(state))
    with pytest.raises(InputError, match="are not there"):
        run(tmp_path, Miner())
    with pytest.raises(InputError, match="other remine"):
        train(tiny_encoder("bert", dropout=0.2), [GIVEN, OTHER], SETTINGS, folder=tmp_path, remine=None)
    with pytest.raises(InputError, match="needs a folder"):
        train(tiny_encoder("bert"), [GIVEN], SETTINGS, remine=Remining(1, Miner(), {}))
    with pytest.raises(InputError, match="no teacher"):
        run(tmp_path / "taught", Miner(), teacher=tiny_encoder("bert"))
    short = {"mined": GIVEN.select(range(39))}
    with pytest.raises(InputError, match="39 rows of the 40"):
        run(tmp_path / "short", lambda encoder, folder: short)
