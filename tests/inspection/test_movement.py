"""How the vectors of the probe texts moved."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cosmith.inspection.movement import movement_chart, on_two_axes
from cosmith.inspection.pictures import svg_of

TEXTS = [{"role": "query", "text": "reset my password"}, {"role": "document", "text": "Open Settings."}]


def test_what_lies_in_a_plane_keeps_its_distances() -> None:
    random = np.random.default_rng(0)
    plane = random.normal(size=(4, 5, 2))
    axes, _ = np.linalg.qr(random.normal(size=(7, 2)))
    places, shown = on_two_axes(plane @ axes.T + 3)
    assert shown == pytest.approx(1)

    def distances(points: np.ndarray) -> np.ndarray:
        flat = points.reshape(-1, 2)
        return np.linalg.norm(flat[:, None] - flat[None], axis=-1)

    np.testing.assert_allclose(distances(places), distances(plane), atol=1e-9)


def test_a_text_is_a_line_with_a_dot_at_its_end() -> None:
    snapshots = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float16)
    drawn = svg_of(movement_chart([0, 25, 50], snapshots, TEXTS))
    assert len(re.findall(r'aria-roledescription="line mark"', drawn)) == len(TEXTS)
    assert len(re.findall(r'aria-roledescription="circle"', drawn)) == len(TEXTS)
