from __future__ import annotations

import pytest

from cosmith.data.test_sets import Summaries
from cosmith.errors import InputError
from cosmith.evaluation.tasks import SummarisationTask


def test_values_by_hand(table_encoder, on_circle):
    angles = {"h": 0, "h2": 180, "near": 10, "middle": 40, "far": 80, "opposite": 170}
    encoder = table_encoder({text: on_circle(angle) for text, angle in angles.items()})
    data = Summaries(
        [("h",), ("h", "h2"), ("h",)],
        [("near", "middle", "far"), ("near", "middle", "opposite"), ("near", "far")],
        [(2.0, 3.0, 1.0), (3.0, 1.0, 3.0), (1.0, 1.0)],
    )
    scores = SummarisationTask("tiny", data).evaluate(encoder, resamples=50)
    # ranks 3 2 1 against 2 3 1: 1/2; near and opposite are equally near to one of the two, and best: 1; the third
    # text is judged the same throughout and left out
    assert scores.per_query["cosine_spearman"] == pytest.approx([0.5, 1], abs=1e-6)
    assert scores.query_ids == ("0", "1")


def test_a_constant_model_scores_zero(table_encoder):
    encoder = table_encoder({text: [1.0, 0.0] for text in "hab"})
    data = Summaries([("h",)], [("a", "b")], [(1.0, 2.0)])
    assert SummarisationTask("tiny", data).evaluate(encoder, resamples=10).value == 0


def test_judgements_that_are_all_equal_are_refused():
    with pytest.raises(InputError, match="all equal"):
        SummarisationTask("tiny", Summaries([("h",)], [("a", "b")], [(1.0, 1.0)]))
    with pytest.raises(InputError, match="not a score for each"):
        Summaries([("h",)], [("a", "b")], [(1.0,)])
