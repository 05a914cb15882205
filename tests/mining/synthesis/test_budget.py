"""A budget ends a run before it is overrun, whatever is under way, and what was made stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.mining.synthesis import Budget

Write = Callable[..., Any]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_money_is_never_overspent_and_the_next_run_goes_on(language_model: Any, write: Write, concurrency: int) -> None:
    whole = Budget(input_price=1.0, output_price=10.0)
    with language_model(delay=0.01) as model:
        budget = Budget(input_price=1.0, output_price=10.0, most_money=0.013)
        first = write(model, each=2, budget=budget, concurrency=concurrency)
        assert first.stopped_by == "money"
        assert 0 < first.usage.money <= 0.013
        assert first.finished < first.passages == 6
        assert len(model.asked) == first.usage.requests
        assert "stopped: the money" in first.describe()
        asked = len(model.asked)
        rest = write(model, each=2, budget=whole)
        assert len(model.asked) == 18
    assert (rest.usage.requests, rest.usage.cached) == (18 - asked, asked)
    assert rest.rows[: len(first.rows)] == first.rows or concurrency > 1
    assert len(rest.rows) == 12
    assert rest.usage.money == pytest.approx((rest.usage.input_tokens + 10 * rest.usage.output_tokens) / 1e6)


def test_tokens_are_limited_alike(language_model: Any, write: Write, tmp_path: Path) -> None:
    with language_model() as model:
        made = write(model, budget=Budget(most_tokens=3000))
        assert made.stopped_by == "tokens"
        assert made.usage.input_tokens + made.usage.output_tokens <= 3000
        nothing = write(model, budget=Budget(most_tokens=10), cache=tmp_path / "empty.sqlite")
    assert (nothing.rows, nothing.usage.requests, nothing.stopped_by) == ([], 0, "tokens")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"most_money": 5.0}, "no price is known"),
        ({"input_price": -1.0}, "input_price"),
        ({"most_tokens": 0}, "most_tokens"),
        ({"input_price": 1.0, "most_money": float("nan")}, "most_money"),
    ],
)
def test_budgets_that_make_no_sense(said: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Budget(**said)
