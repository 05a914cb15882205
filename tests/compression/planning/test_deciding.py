"""What is recommended, and why, on candidates whose figures are said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.compression.planning import Candidate, Limits, ModelForm, Plan, decide
from cosmith.compression.planning.candidate import front, with_fronts
from cosmith.compression.planning.quality import change_interval, quality_interval, quality_of
from cosmith.compression.planning.search_time import SearchTime
from cosmith.errors import InputError
from cosmith.evaluation import Interval, Scores, paired_difference
from cosmith.models.running_cost import RunningCost

INT8 = ModelForm("onnx", "int8")
ITEMS = 50


def scores(values: np.ndarray, task: str = "task") -> Scores:
    ids = tuple(f"q{number}" for number in range(len(values)))
    return Scores(task, "model", "ndcg@10", {"ndcg@10": float(values.mean())}, per_query={"ndcg@10": values},
                  query_ids=ids)  # fmt: skip


def candidate(
    form: str, kept: float, low: float, *, bytes: float, finer: float = 0, milliseconds: float = 10,
    model: ModelForm = INT8, items: int = ITEMS,
) -> Candidate:  # fmt: skip
    running = RunningCost((milliseconds / 2000,) * 4, 0.005, 100, 100, 1, 10**6, 10**8, "a processor")
    search = SearchTime((milliseconds / 2000,) * 4, 1000)
    quality = 0.5 * kept
    return Candidate(
        model, form, bytes, finer, 10**6, running, search, (scores(np.full(items, quality)),), quality,
        Interval(quality - 0.1, quality + 0.1), quality - 0.5, None, kept, low,
    )  # fmt: skip


FULL = candidate("float32", 1, 1, bytes=1536, milliseconds=40, model=ModelForm("torch", "float32"))
FINE = candidate("int8", 1, 0.99, bytes=384)
SMALL = candidate("binary, rescored x4 by int8", 0.99, 0.975, bytes=48, finer=384)
UNSURE = candidate("pca128+int8", 0.98, 0.95, bytes=128, milliseconds=8)
BAD = candidate("binary", 0.9, 0.87, bytes=48)
ALL = [FULL, FINE, SMALL, UNSURE, BAD]


def planned(limits: Limits, candidates: list[Candidate] = ALL) -> Plan:
    return decide(candidates, FULL, limits, model="mine")


@pytest.mark.parametrize(
    ("limits", "form"),
    [
        (Limits(), "binary, rescored x4 by int8"),
        (Limits(finer_bytes=0), "int8"),
        (Limits(finer_bytes=0, keep=0.94), "pca128+int8"),
        (Limits(keep=0.8), "binary"),
        (Limits(keep=None), "binary"),
        (Limits(keep=0.98), "int8"),
        (Limits(keep=1), "float32"),
        (Limits(bytes=200, latency=0.009, keep=0.9), "pca128+int8"),
        (Limits(memory=150 * 10**6, keep=0.9), "binary, rescored x4 by int8"),
    ],
)
def test_the_cheapest_within_the_limits(limits: Limits, form: str) -> None:
    found = planned(limits)
    assert found.chosen is not None
    assert found.chosen.form == form
    assert not found.chosen.excesses
    assert found.nearest is None
    assert found.reasons[0].startswith(f"Recommended: {found.chosen.model} with vectors as {form!r}.")
    assert "lower end of the 95 % interval" in found.reasons[-1] or limits.keep is None
    assert "chosen" in found.table()
    told = json.loads(json.dumps(found.to_dict()))
    assert told["chosen"]["form"] == form
    assert len(told["candidates"]) == len(ALL)


def test_where_nothing_is_gained_that_is_said() -> None:
    found = planned(Limits(keep=1))
    assert found.chosen is found.full
    told = " ".join(found.reasons)
    assert "That is the full model itself: nothing that was tried costs less within the limits." in told
    assert "a difference of" not in told
    assert told.count("1,536 bytes a document") == 1
    assert "; the full model" not in told
    assert "the full model itself" not in " ".join(planned(Limits()).reasons)


def test_the_costs_of_a_candidate() -> None:
    assert SMALL.memory == 10**8 + 48 * 10**6
    assert SMALL.disk == 384 * 10**6
    assert SMALL.latency == pytest.approx(0.01)
    assert SMALL.expense == pytest.approx(0.01 * (148 + 38.4) * 10**6)


def test_with_few_items_the_value_counts_and_that_is_said() -> None:
    few = [replace(each, scores=(scores(np.full(9, each.quality)),)) for each in ALL]
    found = decide(few, few[0], Limits(finer_bytes=0), model="mine")
    assert found.chosen is not None
    assert found.chosen.form == "pca128+int8"
    assert "counts by its value: a task has fewer than 30 items" in found.reasons[-1]


def test_where_nothing_fits_the_nearest_limit_is_named() -> None:
    found = planned(Limits(bytes=100, latency=0.0095, keep=0.97))
    assert found.chosen is None
    assert found.nearest is not None
    assert found.nearest.form == "binary, rescored x4 by int8"
    assert found.reasons[0] == "Nothing is within the limits (at most 100 bytes, at most 9.50 ms, at least 97 % kept)."
    assert "it takes 10.00 ms where 9.50 ms are allowed" in found.reasons[1]
    assert "nearest" in found.markdown()
    two = planned(Limits(bytes=40, latency=0.001, keep=0.97))
    assert two.nearest is not None
    assert set(two.nearest.excesses) == {"bytes", "latency"}


def test_the_full_model_is_not_counted_where_it_was_not_asked_for() -> None:
    assert planned(Limits()).table().startswith(f"mine on task: {len(planned(Limits()).shown)} of 5 candidates;")
    assert planned(Limits(), [FINE]).table().startswith("mine on task: 1 of 1 candidate and the full model;")


def test_what_was_not_asked_for_is_not_recommended() -> None:
    found = decide([FINE], FULL, Limits(keep=1), model="mine")
    assert found.chosen is None
    assert found.nearest is not None
    assert found.nearest.form == "int8"
    assert [each.form for each in found.shown] == ["float32", "int8"]


def test_a_model_that_scores_nothing_keeps_nothing() -> None:
    nothing = replace(FULL, quality=0.0)
    with pytest.raises(InputError, match="no share can be kept"):
        decide([nothing], nothing, Limits(), model="mine")


@pytest.mark.parametrize(
    "wrong", [{"bytes": 0}, {"latency": -1}, {"keep": 0}, {"keep": 1.5}, {"finer_bytes": -1}, {"memory": 0}]
)
def test_limits_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError) as caught:
        Limits(**wrong)
    assert caught.value.field == next(iter(wrong))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_a_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    def beaten(one: tuple[int, int]) -> bool:
        return any(other[0] >= one[0] and other[1] <= one[1] and other != one for other in points)

    assert front(points) == [number for number, one in enumerate(points) if not beaten(one)]


def test_fronts_are_named() -> None:
    found = {each.form: each.fronts for each in with_fronts(ALL)}
    assert found["pca128+int8"] == ("latency",)
    assert found["binary"] == ()
    assert found["binary, rescored x4 by int8"] == ("bytes", "memory")


def test_quality_is_the_mean_over_kinds() -> None:
    rng = np.random.default_rng(0)
    mine = [scores(rng.random(40), name) for name in ("a", "b", "c")]
    theirs = [scores(each.per_query["ndcg@10"] - 0.1 * rng.random(40), each.task) for each in mine]
    kinds = ["retrieval", "retrieval", "sts"]
    a, b, c = (each.value for each in mine)
    assert quality_of(mine, kinds) == pytest.approx(((a + b) / 2 + c) / 2)
    interval = quality_interval(mine, kinds, resamples=500)
    assert interval is not None
    assert interval.low < quality_of(mine, kinds) < interval.high
    change = change_interval(mine, theirs, kinds, resamples=500)
    assert change is not None
    assert 0 < change.low < quality_of(mine, kinds) - quality_of(theirs, kinds) < change.high
    alone = paired_difference(mine[0].per_query["ndcg@10"], theirs[0].per_query["ndcg@10"], resamples=2000)
    single = change_interval(mine[:1], theirs[:1], kinds[:1], resamples=2000)
    assert single is not None
    assert (single.low, single.high) == pytest.approx((alone.interval.low, alone.interval.high), abs=0.002)
    assert change_interval(mine, theirs, kinds, resamples=0) is None
