"""The recommendation, on costs and scores whose outcome can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.evaluation import Scores
from cosmith.evaluation.choosing import Budget, ModelCost, Option, decide, option_of

COUNT = 60
RNG = np.random.default_rng(0)
HARD = RNG.uniform(0.2, 0.8, COUNT)  # what each query is worth, to all models alike


def cost(milliseconds: float, megabytes: int = 100) -> ModelCost:
    seconds = milliseconds / 1000
    return ModelCost(seconds, seconds * 0.9, seconds * 1.1, 50, 1, 10**6, megabytes * 10**6)


def option(model: str, values: np.ndarray, stored: int, of_model: ModelCost, *, task: str = "t") -> Option:
    items = tuple(map(str, range(len(values))))
    scores = Scores(task, model, "m", {"m": float(values.mean())}, per_query={"m": values}, query_ids=items)
    return option_of(model, stored // 4, "float32", stored, of_model, [scores], resamples=500)


BEST = option("large", HARD, 4096, cost(20, 500))
EQUAL = option("small", HARD + np.tile([0.05, -0.06], COUNT // 2), 1024, cost(5))
WORSE = option("static", HARD - 0.1, 256, cost(0.1))


def test_the_cheapest_that_is_not_significantly_worse_is_recommended() -> None:
    choice = decide([WORSE, EQUAL, BEST], Budget(), resamples=500)
    assert choice.best is not None
    assert choice.chosen is not None
    assert (choice.best.model, choice.chosen.model) == ("large", "small")
    assert all(each.front for each in choice.options)
    assert choice.behind is not None
    assert choice.behind.difference == pytest.approx(-0.005)
    told = " ".join(choice.reasons)
    assert "Recommended: small, 256 float32" in told
    assert "the difference of -0.0050" in told
    assert "is not significant" in told
    assert "25 % of the time, 25 % of the bytes, 20 % of the memory" in told
    assert "chosen" in choice.table()
    assert "| small, 256 float32 |" in choice.markdown()


def test_what_is_clearly_worse_is_not_recommended_however_cheap() -> None:
    choice = decide([WORSE, BEST], Budget(), resamples=500)
    assert choice.chosen is choice.best
    assert choice.chosen is not None
    assert choice.chosen.model == "large"
    assert "whatever is cheaper is significantly worse" in " ".join(choice.reasons)


@pytest.mark.parametrize(
    ("budget", "broken"),
    [
        (Budget(bytes=2000), "over 2,000 bytes"),
        (Budget(latency=0.01), "over 10 ms"),
        (Budget(memory=200 * 10**6), "over 200 MB of memory"),
    ],
)
def test_the_budget_rules_out_and_says_so(budget: Budget, broken: str) -> None:
    choice = decide([WORSE, BEST], budget, resamples=500)
    assert choice.chosen is not None
    assert choice.chosen.model == "static"
    assert choice.options[0].broken == (broken,)
    assert f"1 of 2 options are out of the budget: 1 {broken}." in choice.reasons
    assert broken in choice.table()


def test_where_nothing_fits_the_nearest_is_named() -> None:
    choice = decide([WORSE, BEST], Budget(bytes=100, latency=0.001), resamples=500)
    assert choice.chosen is None
    assert choice.reasons[0] == "Nothing fits the budget; the nearest is static, 64 float32, which is over 100 bytes."
    assert choice.to_dict()["chosen"] is None


def test_items_that_one_form_leaves_out_are_not_compared() -> None:
    fewer = option("small", HARD[:40] + 0.001, 1024, cost(5))
    choice = decide([fewer, BEST], Budget(), resamples=500)
    assert choice.chosen is not None
    assert choice.chosen.model == "small"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_what_is_off_the_front_is_beaten_by_something_on_it(drawn: list[tuple[int, int, int]]) -> None:
    options = [
        option(f"m{number}", HARD + quality / 100, 4 * stored, cost(latency))
        for number, (quality, stored, latency) in enumerate(drawn)
    ]
    choice = decide(options, Budget(), resamples=20)
    front = [each for each in choice.options if each.front]
    assert front

    def beats(one: Option, other: Option) -> bool:
        pairs = ((one.quality, other.quality), (-one.cost.latency, -other.cost.latency), (-one.bytes, -other.bytes))
        return all(first >= second for first, second in pairs) and any(first > second for first, second in pairs)

    for each in choice.options:
        assert any(beats(other, each) for other in front) is not each.front
    assert choice.best is not None
    assert choice.best.quality == max(each.quality for each in options)


def test_bad_budgets_and_nothing_to_choose_from_are_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        Budget(bytes=0)
    with pytest.raises(InputError, match="above 0"):
        Budget(latency=float("nan"))
    with pytest.raises(InputError, match="nothing to choose from"):
        decide([], Budget())


def test_one_item_says_nothing_and_that_is_said() -> None:
    one, worse = (option(name, np.array([value]), stored, cost(1)) for name, value, stored in
                  (("one", 0.5, 8), ("worse", 0.25, 64)))  # fmt: skip
    choice = decide([one, worse], Budget(), resamples=500)
    assert one.interval is None
    assert "[0.500, 0.500]" not in choice.table()
    told = " ".join(choice.reasons)
    assert "nothing else within it that was measured is cheaper" in told
    assert "significantly worse" not in told
    assert "too few items" in told
    cheaper = option("cheap", np.array([0.25]), 4, cost(0.1))
    assert "(1 item of a task, or of a set in one: no interval)" in " ".join(decide([one, cheaper], Budget()).reasons)


def test_what_cannot_be_compared_is_not_called_worse() -> None:
    bare = option("bare", HARD - 0.1, 256, cost(0.1))
    scores = Scores("t", "bare", "m", {"m": bare.quality})
    of_value = option_of("bare", 64, "float32", 256, cost(0.1), [scores])
    told = " ".join(decide([of_value, BEST], Budget(), resamples=500).reasons)
    assert "what is cheaper could not be compared with it item by item" in told
