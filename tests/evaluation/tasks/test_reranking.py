from __future__ import annotations

import math

import numpy as np
import pytest

from cosmith.data.test_sets import CandidateLists
from cosmith.errors import InputError
from cosmith.evaluation.tasks import RerankingTask


def test_values_by_hand(table_encoder, on_circle):
    data = CandidateLists(["q", "r"], [("good", "fair"), ("yes",)], [("bad",), ("no", "never")])
    vectors = {"q": 0, "good": 10, "bad": 20, "fair": 30, "r": 0, "no": 5, "yes": 50, "never": 90}
    encoder = table_encoder({text: on_circle(angle) for text, angle in vectors.items()})
    scores = RerankingTask("tiny", data).evaluate(encoder, resamples=100)
    # q: good, bad, fair; r: no, yes, never
    assert scores.per_query["map@1000"] == pytest.approx([(1 + 2 / 3) / 2, 1 / 2])
    assert scores.per_query["mrr@10"] == pytest.approx([1, 1 / 2])
    ideal = 1 + 1 / math.log2(3)
    assert scores.per_query["ndcg@10"] == pytest.approx([(1 + 1 / 2) / ideal, 1 / math.log2(3)])
    assert scores.values["recall@1"] == pytest.approx((1 / 2 + 0) / 2)
    assert encoder.prompts == ["document", "query"]


def test_of_equal_scores_the_negative_goes_first(table_encoder):
    data = CandidateLists(["q"], [("a",)], [("b",)])
    encoder = table_encoder({text: [1.0, 0.0] for text in "qab"})
    assert RerankingTask("tiny", data).evaluate(encoder, resamples=0).values["mrr@10"] == 1 / 2


def test_what_cannot_be_reranked_is_refused(table_encoder):
    with pytest.raises(InputError, match="'q' has no negative"):
        CandidateLists(["q"], [("a",)], [()])
    with pytest.raises(InputError, match="is not a metric"):
        RerankingTask("tiny", CandidateLists(["q"], [("a",)], [("b",)]), main="map")
    encoder = table_encoder({"q": [1.0, 0.0], "a": [np.inf, 0.0]})
    with pytest.raises(InputError, match="not finite"):
        RerankingTask("tiny", CandidateLists(["q"], [("a",)], [("b",)])).evaluate(encoder)
