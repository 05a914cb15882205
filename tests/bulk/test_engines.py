"""What an engine may be, and shards that stay, go and are made anew, in this process."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from cosmith.bulk import Engine, ShardJob, open_shards, run_shards
from cosmith.errors import InputError


def job(folder: Path, count: int, made: list[int]) -> ShardJob:
    def make(number: int, path: Path) -> None:
        if number == 3 and 3 not in made:
            made.append(3)
            raise KeyboardInterrupt
        made.append(number)
        path.write_text(str(number))

    return ShardJob("Counting", folder, count, ".txt", make)


def test_only_missing_shards_are_made(tmp_path: Path) -> None:
    made: list[int] = []
    open_shards(tmp_path / "shards", "one", 5, ".txt")
    with pytest.raises(KeyboardInterrupt):
        run_shards(job(tmp_path / "shards", 5, made))
    open_shards(tmp_path / "shards", "one", 5, ".txt")
    run_shards(job(tmp_path / "shards", 5, made))
    assert made == [0, 1, 2, 3, 3, 4]
    assert [each.read_text() for each in job(tmp_path / "shards", 5, made).paths] == ["0", "1", "2", "3", "4"]


def test_shards_of_other_work_go_and_what_is_no_shard_is_left_alone(tmp_path: Path) -> None:
    made = [3]
    open_shards(tmp_path / "shards", "one", 5, ".txt")
    run_shards(job(tmp_path / "shards", 5, made))
    open_shards(tmp_path / "shards", "two", 2, ".txt")
    assert job(tmp_path / "shards", 5, made).missing() == [0, 1, 2, 3, 4]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="holds something else than shards"):
        open_shards(tmp_path / "mine", "one", 5, ".txt")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"kind": "rya"}, "Did you mean 'ray'"),
        ({"address": "auto"}, r"\[address\]: is for another engine"),
        ({"kind": "ray", "workers": 0}, r"\[workers\]: is 0"),
    ],
)
def test_impossible_engines_are_refused(said: dict[str, Any], told: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=told):
        Engine(**said)


def test_ray_is_told_to_be_absent_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "cosmith\[ray\]"'):
        Engine("ray")
    assert Engine().kind == "local"
