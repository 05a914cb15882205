"""Splits by time and by row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data.time_splits import split_by_row, split_by_time, time_of, times_of
from cosmith.errors import InputError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def test_parts_follow_each_other_and_equal_times_stay_together() -> None:
    parts = split_by_time([5, 1, 4, 2, 3, 9, 8, 7, 6, 0], SHARES)
    assert {name: numbers.tolist() for name, numbers in parts.items()} == {
        "train": [0, 1, 2, 3, 4, 7, 8, 9], "dev": [6], "test": [5],
    }  # fmt: skip
    tied = split_by_time([1] * 6 + [2] * 3 + [3], {"train": 0.7, "test": 0.3})
    assert tied["train"].tolist() == list(range(6))
    assert tied["test"].tolist() == [6, 7, 8, 9]


def test_a_part_may_begin_at_a_date() -> None:
    times = [time_of(f"2024-01-{day:02}") for day in range(1, 31)]
    parts = split_by_time(times, SHARES, begins={"test": time_of("2024-01-16")})
    assert parts["test"].tolist() == list(range(15, 30))
    assert parts["dev"].tolist() == [12, 13, 14]
    with pytest.raises(InputError, match="no row would be in the part 'test'"):
        split_by_time(times, SHARES, begins={"test": time_of("2025-01-01")})
    with pytest.raises(InputError, match="no row would be in the part 'train'"):
        split_by_time([7.0] * 5, {"train": 0.5, "test": 0.5})


def test_times_are_read_and_what_is_none_is_named() -> None:
    assert time_of("1970-01-02") == time_of("86400") == time_of("1970-01-02T01:00:00+01:00") == 86400
    assert times_of(["0", "1970-01-01T00:01:00Z"]).tolist() == [0, 60]
    for bad in ("yesterday", None, "nan"):
        with pytest.raises(InputError, match=r"rows\.csv.*row 1 has no time"):
            times_of(["0", bad], "rows.csv")


@given(st.lists(st.integers(0, 30), min_size=3, max_size=60), st.sampled_from([SHARES, {"train": 0.5, "test": 0.5}]))
def test_every_row_is_in_one_part_and_no_part_is_later_than_the_next(
    times: list[int], shares: dict[str, float]
) -> None:
    try:
        parts = split_by_time(times, shares)
    except InputError:
        assert len(set(times)) < len(times)
        return
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(times)))
    ordered = [np.array(times)[numbers] for numbers in parts.values()]
    for earlier, later in pairwise(ordered):
        assert earlier.max() < later.min()


def test_rows_are_parted_by_chance_and_the_seed_says_how() -> None:
    one, again, other = (split_by_row(1000, SHARES, seed) for seed in (1, 1, 2))
    assert {name: len(numbers) for name, numbers in one.items()} == {"train": 800, "dev": 100, "test": 100}
    assert one["test"].tolist() == again["test"].tolist() != other["test"].tolist()
    with pytest.raises(InputError, match="shares"):
        split_by_row(10, {"train": 0.5, "test": 0.4}, 0)
