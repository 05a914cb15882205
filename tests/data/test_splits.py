"""Splits by group."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosmith.data import split_by_group
from cosmith.errors import InputError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
group_lists = st.lists(st.integers(0, 15).map("g{}".format), min_size=3, max_size=80)


@given(group_lists, st.integers(-(2**70), 2**70))
def test_each_row_once_and_no_group_in_two_parts(groups: list[str], seed: int) -> None:
    assume(len(set(groups)) >= 3)
    parts = split_by_group(groups, SHARES, seed)
    assert list(parts) == list(SHARES)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(groups)))
    held = [{groups[row] for row in rows} for rows in parts.values()]
    assert sum(map(len, held)) == len(set(groups))
    for rows in parts.values():
        assert rows.dtype == np.int64
        assert len(rows)
        assert (np.diff(rows) > 0).all()


@given(st.lists(st.integers(1, 9), min_size=30, max_size=60), st.integers(0, 5))
def test_shares_are_met_to_within_the_largest_group(sizes: list[int], seed: int) -> None:
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    for part, rows in split_by_group(groups, SHARES, seed).items():
        assert abs(len(rows) - SHARES[part] * len(groups)) <= max(sizes)


@given(group_lists, st.integers(0, 5), st.randoms())
def test_depends_on_names_and_seed_only(groups: list[str], seed: int, random: object) -> None:
    assume(len(set(groups)) >= 3)
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = [groups[row] for row in order]

    def part_of_group(names: list[str]) -> dict[str, str]:
        return {names[row]: part for part, rows in split_by_group(names, SHARES, seed).items() for row in rows}

    assert part_of_group(groups) == part_of_group(shuffled)


def test_stays_what_it_is() -> None:
    # Runs made with one version must find the same split in the next.
    parts = split_by_group([f"package-{number % 12}" for number in range(36)], SHARES, seed=7)
    assert {part: sorted({int(row) % 12 for row in rows}) for part, rows in parts.items()} == {
        "train": [0, 3, 4, 5, 6, 7, 8, 9, 10, 11], "dev": [1], "test": [2],
    }  # fmt: skip


def test_seeds_differ_and_are_fair() -> None:
    groups = [f"g{number}" for number in range(20)]
    counts = Counter(groups[row] for seed in range(400) for row in split_by_group(groups, SHARES, seed)["test"])
    assert len(counts) == 20
    assert min(counts.values()) > 15  # 40 expected each
    assert max(counts.values()) < 75


def test_a_giant_group_goes_where_it_fits_best() -> None:
    groups = ["giant"] * 700 + [f"g{number}" for number in range(300)]
    for seed in range(20):
        parts = split_by_group(groups, SHARES, seed)
        assert {part: len(rows) for part, rows in parts.items()} == {"train": 800, "dev": 100, "test": 100}
        assert 0 in parts["train"]


def test_no_part_stays_empty() -> None:
    for seed in range(20):
        parts = split_by_group(["a"] * 100 + ["b", "c"], SHARES, seed)
        assert sorted(map(len, parts.values())) == [1, 1, 100]


@pytest.mark.parametrize(
    ("groups", "shares", "message"),
    [
        (["a", "b"], SHARES, "2 groups cannot fill 3 parts"),
        ([], {"all": 1.0}, "0 groups cannot fill 1 parts"),
        (["a", "b"], {"train": 0.5, "test": 0.4}, r"\[shares\]: the shares add up to 0.9"),
        (["a", "b"], {"train": 1.5, "test": -0.5}, r"\[shares\].*Give each part a share above 0"),
        (["a", "b"], {}, "add up to 0"),
    ],
)
def test_impossible_splits(groups: list[str], shares: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_by_group(groups, shares, seed=0)
