from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from cosmith.data.test_sets import JudgedPairs
from cosmith.errors import InputError
from cosmith.evaluation.tasks import PairClassificationTask
from cosmith.evaluation.tasks.pair_classification import JudgedSimilarity


def pairs(*alike: int) -> JudgedPairs:
    return JudgedPairs([f"a{n}" for n in range(len(alike))], [f"b{n}" for n in range(len(alike))],
                       np.array(alike, dtype=bool))  # fmt: skip


def encoder_of(table_encoder, on_circle, *cosines: float):
    """Pair n has the n-th cosine."""
    table = {f"a{n}": on_circle(0) for n in range(len(cosines))}
    return table_encoder(table | {f"b{n}": on_circle(np.degrees(np.arccos(c))) for n, c in enumerate(cosines)})


def test_values_by_hand(table_encoder, on_circle):
    encoder = encoder_of(table_encoder, on_circle, 0.9, 0.8, 0.6, 0.3)
    scores = PairClassificationTask("tiny", pairs(1, 0, 1, 0)).evaluate(encoder, resamples=200)
    values = scores.values
    assert values["cosine_ap"] == pytest.approx((1 + 2 / 3) / 2)  # relevant at ranks 1 and 3
    assert values["cosine_accuracy"] == pytest.approx(3 / 4)  # above 0.85: one right, two rightly below
    assert values["cosine_accuracy_threshold"] == pytest.approx(0.85)
    assert values["cosine_f1"] == pytest.approx(0.8)  # above 0.45: precision 2/3, recall 1
    assert values["cosine_precision"] == pytest.approx(2 / 3)
    assert values["cosine_recall"] == 1
    assert values["cosine_f1_threshold"] == pytest.approx(0.45)
    # unit vectors: the Euclidean distance orders like the cosine, the dot product is it
    assert values["euclidean_ap"] == values["dot_ap"] == values["cosine_ap"]
    assert scores.main == "max_ap"
    assert scores.value == max(values[f"{name}_ap"] for name in ("cosine", "dot", "euclidean", "manhattan"))
    for metric, added in scores.per_query.items():
        assert added.mean() == pytest.approx(values[metric])
        assert metric in scores.intervals
    assert encoder.prompts == [None]


def test_a_threshold_never_parts_equal_scores():
    # the first three are equal: above them all, two of three are right; by their order alone, two of two were
    judged = JudgedSimilarity.of(np.array([0.9, 0.9, 0.9, 0.1]), np.array([True, True, False, False]))
    assert judged.values["f1"] == pytest.approx(0.8)
    assert judged.values["accuracy"] == pytest.approx(3 / 4)
    assert judged.values["ap"] == pytest.approx(2 / 3)


def test_a_constant_model_has_the_base_rate_and_nothing_else(table_encoder):
    encoder = table_encoder({f"{side}{n}": [1.0, 0.0] for side in "ab" for n in range(4)})
    values = PairClassificationTask("tiny", pairs(1, 0, 0, 0)).evaluate(encoder, resamples=50).values
    assert values["max_ap"] == pytest.approx(1 / 4)
    assert values["max_f1"] == values["max_accuracy"] == 0


def test_random_similarities_are_scored_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    for _ in range(30):
        scores, alike = rng.integers(0, 8, 40) / 8, rng.random(40) < 0.4
        judged = JudgedSimilarity.of(scores, alike)
        assert judged.values["ap"] == pytest.approx(average_precision_score(alike, scores))
        # all thresholds but the one below every score
        best = max(f1_score(alike, scores >= level) for level in np.unique(scores)[1:])
        assert judged.values["f1"] == pytest.approx(best)
        assert judged.values["accuracy"] == pytest.approx(
            max(((scores >= level) == alike).mean() for level in np.unique(scores)[1:])
        )


@pytest.mark.parametrize(("alike", "told"), [((1, 1), "are alike"), ((0, 0), "are not alike")])
def test_pairs_of_one_sort_are_refused(alike, told):
    with pytest.raises(InputError, match=told):
        PairClassificationTask("tiny", pairs(*alike))
