from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

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


def test_equal_summaries_tie_wherever_they_stand(table_encoder):
    rng = np.random.default_rng(0)
    vectors = {str(number): rng.normal(size=64) for number in range(400)}
    encoder = table_encoder({text: vector / np.linalg.norm(vector) for text, vector in vectors.items()})
    human = [tuple(map(str, rng.choice(400, 2, replace=False))) for _ in range(60)]
    machine = [tuple(map(str, [*(drawn := rng.choice(400, 4)), *drawn[:3]])) for _ in range(60)]
    scores = [tuple(rng.permutation(7).astype(float).tolist()) for _ in range(60)]
    expected = []
    for people, machines, gold in zip(human, machine, scores, strict=True):
        lengths = {text: np.linalg.norm(vectors[text]) for text in {*machines, *people}}
        nearest = {
            text: max(float(vectors[text] @ vectors[each]) / lengths[text] / lengths[each] for each in people)
            for text in set(machines)
        }
        expected.append(spearmanr(gold, [nearest[text] for text in machines]).statistic)
    found = SummarisationTask("tiny", Summaries(human, machine, scores)).evaluate(encoder, resamples=0)
    assert found.per_query["cosine_spearman"] == pytest.approx(expected, abs=1e-6)


def test_a_constant_model_scores_zero(table_encoder):
    encoder = table_encoder({text: [1.0, 0.0] for text in "hab"})
    data = Summaries([("h",)], [("a", "b")], [(1.0, 2.0)])
    assert SummarisationTask("tiny", data).evaluate(encoder, resamples=10).value == 0


def test_judgements_that_are_all_equal_are_refused():
    with pytest.raises(InputError, match="all equal"):
        SummarisationTask("tiny", Summaries([("h",)], [("a", "b")], [(1.0, 1.0)]))
    with pytest.raises(InputError, match="not a score for each"):
        Summaries([("h",)], [("a", "b")], [(1.0,)])
