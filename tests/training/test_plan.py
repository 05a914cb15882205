"""The plan: which Source and which rows a step takes, as a pure function of (seed, step)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.training.mixing import shuffled
from cosmith.training.plan import Plan


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_a_shuffle_is_a_bijection(size: int, key: int) -> None:
    result = shuffled(np.arange(size), size, np.full(size, key, np.uint64))
    assert np.array_equal(np.sort(result), np.arange(size))


def test_a_shuffle_leaves_no_order_behind() -> None:
    size = 20_000
    places = np.arange(size)
    first, second = (shuffled(places, size, np.full(size, key, np.uint64)) for key in (1, 2))
    for result in (first, second, first[second]):
        assert abs(np.corrcoef(places, result)[0, 1]) < 0.03
        assert abs(np.corrcoef(result[:-1], result[1:])[0, 1]) < 0.03
        assert np.count_nonzero(places == result) < 10  # a random shuffle has 1 fixed point on average
    thirds = np.histogram(first[: size // 10], bins=3)[0]
    assert np.all(np.abs(thirds - size / 30) < 100)


def test_small_sources_see_every_order() -> None:
    orders = {tuple(shuffled(np.arange(4), 4, np.full(4, key, np.uint64))) for key in range(400)}
    assert len(orders) == 24


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 1000))
def test_an_epoch_takes_every_row_once(size: int, batch_size: int, seed: int) -> None:
    plan = Plan((size,), (batch_size,), seed)
    steps = -(-3 * size // batch_size)
    drawn = np.concatenate([plan.at(step).rows for step in range(steps)])
    epochs = [drawn[epoch * size : (epoch + 1) * size] for epoch in range(3)]
    for epoch in epochs:
        assert np.array_equal(np.sort(epoch), np.arange(size))
    if size > 20:
        assert not np.array_equal(epochs[0], epochs[1])


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 64), st.floats(0.1, 10)), min_size=1, max_size=6),
    st.integers(0, 1000),
    st.sampled_from(["proportional", "round_robin", "curriculum"]),
    st.floats(0, 1),
    st.lists(st.integers(0, 10_000_000), min_size=1, max_size=10),
)
def test_a_step_depends_on_seed_and_step_alone(sources, seed, mixing, alpha, steps) -> None:  # type: ignore[no-untyped-def]
    sizes, batch_sizes, weights = (tuple(column) for column in zip(*sources, strict=True))
    once = Plan(sizes, batch_sizes, seed, mixing, weights, alpha)
    again = Plan(sizes, batch_sizes, seed, mixing, weights, alpha)
    forth, back = [once.at(step) for step in steps], [again.at(step) for step in reversed(steps)][::-1]
    for left, right in zip(forth, back, strict=True):
        assert left.source == right.source
        assert np.array_equal(left.rows, right.rows)
        assert len(left.rows) == batch_sizes[left.source]


def test_other_seeds_take_other_rows() -> None:
    assert not np.array_equal(Plan((1000,), (32,), 0).at(0).rows, Plan((1000,), (32,), 1).at(0).rows)
    assert not np.array_equal(Plan((500, 500), (32, 32), 0).at(0).rows, Plan((500, 500), (32, 32), 1).at(0).rows)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 64), st.floats(0.2, 5)), min_size=2, max_size=5),
    st.floats(0, 1),
)
def test_a_mixture_has_the_shares_asked_for(sources, alpha) -> None:  # type: ignore[no-untyped-def]
    sizes, batch_sizes, weights = (np.array(column) for column in zip(*sources, strict=True))
    plan = Plan(tuple(sizes.tolist()), tuple(batch_sizes.tolist()), 3, "proportional", tuple(weights.tolist()), alpha)
    cycles = 2
    taken = [plan.at(step).source for step in range(cycles * plan.cycle_length)]
    steps = np.bincount(taken, minlength=len(sizes))
    assert np.array_equal(steps, cycles * plan.slots)  # exact in every cycle
    wanted = weights * sizes**alpha / batch_sizes
    wanted /= wanted.sum()
    share = steps / steps.sum()
    well_served = wanted > 1 / 1000  # a Source with less has its one slot in a cycle of at most 4,096
    assert np.all(np.abs(share - wanted)[well_served] <= 0.05 * wanted[well_served])
    assert steps.min() >= cycles


def test_every_source_goes_through_its_own_rows_in_a_mixture() -> None:
    plan = Plan((50, 30), (4, 3), 5)
    drawn: dict[int, list[int]] = {0: [], 1: []}
    for step in range(200):
        taken = plan.at(step)
        drawn[taken.source].extend(taken.rows.tolist())
    for source, size in ((0, 50), (1, 30)):
        for start in range(0, len(drawn[source]) - size, size):
            assert sorted(drawn[source][start : start + size]) == list(range(size))


def test_round_robin_takes_turns() -> None:
    plan = Plan((1000, 10, 10), (8, 8, 8), 0, "round_robin")
    assert [plan.at(step).source for step in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_curriculum_takes_one_source_after_another_in_every_epoch() -> None:
    plan = Plan((100, 40), (10, 8), 0, "curriculum")
    assert [plan.at(step).source for step in range(30)] == ([0] * 10 + [1] * 5) * 2
    assert plan.steps(2) == 30
    assert plan.epoch(15) == 1
    later = np.concatenate([plan.at(step).rows for step in range(25, 30)])
    assert sorted(later.tolist()) == list(range(40))
    heavier = Plan((100, 40), (10, 8), 0, "curriculum", weights=(1, 5))  # of 140 rows 100 : 200
    assert heavier.slots.tolist() == [5, 12]


def test_epochs_and_steps_agree() -> None:
    assert Plan((100,), (10,)).steps(2) == 20
    assert Plan((101,), (10,)).steps(1) == 11
    assert Plan((5,), (10,)).steps(0.1) == 1
    plan = Plan((60, 40), (10, 5), 0)
    assert plan.steps(1) == 14
    assert plan.epoch(0) == 0
    drawn = sum(len(plan.at(step).rows) for step in range(37))
    assert plan.epoch(37) == pytest.approx(drawn / 100)


def test_a_source_larger_than_memory_is_planned_at_once() -> None:
    rows = Plan((10**12,), (1000,), 1).at(10**8).rows
    assert len(np.unique(rows)) == 1000
    assert rows.max() < 10**12


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (((), ()), "sources"),
        (((10, 0), (2, 2)), "sizes"),
        (((10,), (0,)), "batch_sizes"),
        (((10,), (2, 2)), "batch_sizes"),
        (((10,), (2,), 0, "proportional", (-1.0,)), "weights"),
        (((10,), (2,), 0, "proportionel"), "mixing"),
        (((10,), (2,), 0, "proportional", (1.0,), 1.5), "alpha"),
    ],
)
def test_impossible_plans_name_the_field(arguments, field) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as error:
        Plan(*arguments)
    assert error.value.field == field
