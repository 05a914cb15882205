"""Work that is done while other work goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.models import batched, tiny_encoder
from cosmith.models.threads import one_ahead


@given(st.lists(st.integers()))
def test_results_come_in_order_and_no_more_than_one_ahead(items: list[int]) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return -item

    for number, result in enumerate(one_ahead(work, items), start=1):
        assert result == -items[number - 1]
        assert begun == items[: len(begun)]
        assert len(begun) <= number + 1
    assert begun == items


def test_an_error_comes_where_its_result_would() -> None:
    results = one_ahead(lambda item: 6 // item, [3, 0, 2])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_windows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder("bert")
    texts = [f"{number} " + "words " * (number % 5) for number in range(20)]
    expected = encoder.encode(texts)
    monkeypatch.setattr(batched, "_WINDOW", 3)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-6)
