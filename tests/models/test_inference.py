"""Encoding leaves a module as it was."""

from __future__ import annotations

import numpy as np
import pytest

from cosmith.models import tiny_encoder
from cosmith.models.inference import in_evaluation_mode


def test_every_part_is_left_in_its_own_mode() -> None:
    encoder = tiny_encoder("bert")
    expected = encoder.encode(["some words"])
    encoder.module.train()
    frozen = encoder.module["backbone"].embeddings.eval()  # type: ignore[operator, union-attr]
    before = [part.training for part in encoder.module.modules()]
    assert True in before
    assert False in before
    with in_evaluation_mode(encoder.module):
        assert not any(part.training for part in encoder.module.modules())
    assert np.array_equal(encoder.encode(["some words"]), expected)
    with pytest.raises(ZeroDivisionError), in_evaluation_mode(encoder.module):
        1 / 0  # noqa: B018
    assert [part.training for part in encoder.module.modules()] == before
    assert not frozen.training
