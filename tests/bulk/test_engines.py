"""What an engine may be, and shards that stay, go and are made anew, in this process."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from cosmith.bulk import Engine, ShardJob, run_shards
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
    (tmp_path / "shards").mkdir()
    with pytest.raises(KeyboardInterrupt):
        run_shards(job(tmp_path / "shards", 5, made))
    run_shards(job(tmp_path / "shards", 5, made))
    assert made == [0, 1, 2, 3, 3, 4]
    assert [each.read_text() for each in job(tmp_path / "shards", 5, made).paths] == ["0", "1", "2", "3", "4"]


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
