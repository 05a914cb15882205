from __future__ import annotations

import numpy as np
import pytest

from cosmith.errors import InputError
from cosmith.retrieval import Hits


def test_positions_become_ids_and_missing_hits_become_empty():
    positions = np.array([[2, 0], [1, 7]], dtype=np.int64)
    scores = np.array([[0.9, 0.1], [0.5, -np.inf]], dtype=np.float32)
    hits = Hits.from_positions(Hits.names_of(["a", "b", "c"]), positions, scores)
    assert hits.ids.tolist() == [["c", "a"], ["b", ""]]
    assert hits.of(1) == [("b", 0.5)]
    assert (len(hits), hits.depth) == (2, 2)
    assert hits.top(1).ids.tolist() == [["c"], ["b"]]


def test_places_without_a_hit_are_filled_up():
    hits = Hits(np.array([["a"]], dtype=object), np.ones((1, 1), np.float32), np.array([[[2, 5]]]))
    filled = hits.filled(3)
    assert filled.ids.tolist() == [["a", "", ""]]
    assert filled.scores.tolist() == [[1.0, -np.inf, -np.inf]]
    assert filled.spans is not None
    assert filled.spans.tolist() == [[[2, 5], [0, 0], [0, 0]]]
    assert hits.filled(1) is hits


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(InputError, match=r"\(1, 2\).*\(1, 3\)"):
        Hits(np.full((1, 2), "a", dtype=object), np.zeros((1, 3), dtype=np.float32))


def test_a_score_that_is_not_a_number_is_refused_with_its_query():
    scores = np.array([[1.0], [np.nan]], dtype=np.float32)
    with pytest.raises(InputError, match="query number 1 "):
        Hits(np.full((2, 1), "a", dtype=object), scores)
