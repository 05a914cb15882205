from __future__ import annotations

import numpy as np
import pytest

from cosmith.data.test_sets import LabelledTexts
from cosmith.errors import InputError
from cosmith.evaluation.tasks import ClusteringTask
from cosmith.evaluation.tasks.clustering import agreement


def test_agreement_by_hand():
    values = agreement(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]))
    of_labels, of_clusters = np.log(2), -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    of_both = -(0.5 * np.log(0.5) + 2 * 0.25 * np.log(0.25))
    expected = 2 * (of_labels + of_clusters - of_both) / (of_labels + of_clusters)
    assert values["v_measure"] == pytest.approx(expected)
    assert values["nmi"] == pytest.approx(expected)
    assert values["purity"] == pytest.approx(3 / 4)
    assert values["ari"] == pytest.approx(0)  # pairs together in both: 1, as many as chance would have
    same = agreement(np.array([0, 1, 1]), np.array([5, 2, 2]))
    assert all(value == pytest.approx(1) for value in same.values())


def texts(count: int = 40) -> LabelledTexts:
    words = {"fruit": ["apple", "pear", "plum"], "rail": ["train", "track", "station"]}
    rng = np.random.default_rng(0)
    labels = [list(words)[number % 2] for number in range(count)]
    return LabelledTexts([" ".join(rng.choice(words[label], 4)) for label in labels], labels)


def test_clusters_that_vectors_show_are_found(words_encoder):
    task = ClusteringTask("tiny", texts(), sample=60, experiments=3)
    assert task.evaluate(words_encoder(), resamples=0).value == pytest.approx(1)
    scores = task.evaluate(words_encoder(dimension=1), resamples=200)
    assert 0 < scores.value < 1
    assert set(scores.values) == {"v_measure", "v_measure_std", "nmi", "ami", "ari", "purity"}
    assert scores.per_query["v_measure"].mean() == pytest.approx(scores.value)
    interval = scores.intervals["v_measure"]
    assert interval.low < scores.value < interval.high
    assert scores.to_dict() == task.evaluate(words_encoder(dimension=1), resamples=200).to_dict()


def test_no_more_texts_are_encoded_than_asked_for(words_encoder):
    encoder = words_encoder()
    ClusteringTask("tiny", texts(), embed=25, sample=30, experiments=1).evaluate(encoder, resamples=0)
    assert len(encoder.calls[0][0]) == 25


def test_a_constant_model_scores_zero(table_encoder):
    data = texts()
    constant = table_encoder({text: [1.0, 0.0] for text in data.texts})
    values = ClusteringTask("tiny", data, sample=50, experiments=2).evaluate(constant, resamples=20).values
    assert values["v_measure"] == pytest.approx(0)
    assert values["purity"] == pytest.approx(0.5, abs=0.2)


def test_texts_that_cannot_be_clustered_are_refused():
    with pytest.raises(InputError, match="all have one label"):
        ClusteringTask("tiny", LabelledTexts(["x", "y"], ["a", "a"]))
    with pytest.raises(InputError, match="each have a label of their own"):
        ClusteringTask("tiny", LabelledTexts(["x", "y"], ["a", "b"]))
    with pytest.raises(InputError, match=r"\[sample\]"):
        ClusteringTask("tiny", texts(), sample=0)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"embed": 1}, r"\[embed\]: what is drawn of 'tiny', 1 text, cannot be clustered: there is one label"),
        ({"embed": 2}, r"\[embed\]: what is drawn of 'tiny', 2 texts, cannot be clustered: each has a label"),
        ({"sample": 1}, r"\[sample\]: 1 text of 'tiny' at a time cannot be put into 4 clusters"),
        ({"sample": 4}, r"\[sample\]: 4 texts of 'tiny' at a time cannot be put into 4 clusters.*more than 4"),
    ],
)
def test_draws_with_no_more_texts_than_labels_are_refused(settings, told):
    data = LabelledTexts([f"text {number}" for number in range(40)], [f"l{number % 4}" for number in range(40)])
    with pytest.raises(InputError, match=told):
        ClusteringTask("tiny", data, **settings)


def test_one_text_more_than_labels_can_be_clustered(words_encoder):
    scores = ClusteringTask("tiny", texts(), sample=3, experiments=2).evaluate(words_encoder(), resamples=0)
    assert 0 <= scores.value <= 1
