from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from cosmith.data.test_sets import LabelledTexts, TrainAndTest
from cosmith.errors import InputError
from cosmith.evaluation.tasks import ClassificationTask
from cosmith.evaluation.tasks.classification import ClassScores, balanced_draws


def world(train: int = 12, test: int = 10) -> TrainAndTest:
    """Texts of fruits and of trains, which share no word."""
    words = {"fruit": ["apple", "pear", "plum"], "rail": ["train", "track", "station"]}
    rng = np.random.default_rng(0)

    def texts(count: int) -> LabelledTexts:
        labels = [list(words)[number % 2] for number in range(count)]
        return LabelledTexts([" ".join(rng.choice(words[label], 2)) for label in labels], labels)

    return TrainAndTest(texts(train), texts(test))


def test_values_by_hand():
    scored = ClassScores.of(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0]), 3)
    # class 0: precision 1/2, recall 1/2; class 1: 2/3 and 1; class 2: never found
    assert scored.values["accuracy"] == pytest.approx(3 / 5)
    assert scored.values["precision"] == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert scored.values["recall"] == pytest.approx((1 / 2 + 1) / 3)
    assert scored.values["f1"] == pytest.approx((0.5 + 0.8) / 3)
    assert scored.values["f1_weighted"] == pytest.approx((2 * 0.5 + 2 * 0.8) / 5)
    assert "ap" not in scored.values
    for metric, added in scored.per_text.items():
        assert added.mean() == pytest.approx(scored.values[metric])


def test_classes_that_neither_occur_nor_are_predicted_do_not_count():
    true, predicted = np.array([0, 2, 2]), np.array([0, 2, 0])
    scored = ClassScores.of(true, predicted, 5)
    assert scored.values["f1"] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert scored.values["precision_weighted"] == pytest.approx(precision_score(true, predicted, average="weighted"))
    assert scored.values["ap"] == pytest.approx(5 / 6)  # decisions: 2 above 0; precision 1 at half the recall, then 2/3
    assert np.isnan(scored.by_class[:, [1, 3, 4]]).all()


def test_each_draw_is_the_next_power_of_one_permutation():
    labels = ["a", "b"] * 6
    draws = balanced_draws(labels, samples=3, experiments=4)
    permutation = np.arange(12)
    np.random.RandomState(42).shuffle(permutation)
    order = np.arange(12)
    for draw in draws:
        order = order[permutation]
        assert Counter(labels[number] for number in draw) == {"a": 3, "b": 3}
        assert draw == [n for n in order if n in draw]
        assert draw[:2] == order[:2].tolist()
    assert draws[0] != draws[1]


def test_a_class_with_fewer_texts_gives_all_it_has():
    draws = balanced_draws(["a"] * 20 + ["b"], samples=8, experiments=3)
    assert [sorted(Counter(n == 20 for n in draw).values()) for draw in draws] == [[1, 8]] * 3


def test_classes_that_vectors_tell_apart_are_learnt(words_encoder):
    scores = ClassificationTask("tiny", world()).evaluate(words_encoder(), resamples=100)
    assert scores.value == scores.values["f1"] == scores.values["ap"] == 1
    assert scores.breakdown is not None
    assert scores.breakdown.rows["fruit"] == {"precision": 1, "recall": 1, "f1": 1, "texts": 5}
    assert "fruit" in scores.breakdown.table("tiny")


def test_only_the_training_texts_that_are_drawn_are_encoded(words_encoder):
    encoder = words_encoder()
    data = world(train=400)
    ClassificationTask("tiny", data, samples=2, experiments=3).evaluate(encoder, resamples=0)
    train, test = (texts for texts, _ in encoder.calls)
    assert len(train) <= 2 * 2 * 3
    assert test == tuple(data.test.texts)


def test_a_constant_model_guesses_and_an_unknown_class_is_always_wrong(table_encoder):
    data = TrainAndTest(LabelledTexts(["x", "y"] * 4, ["a", "b"] * 4), LabelledTexts(["x", "y", "z"], ["a", "b", "c"]))
    encoder = table_encoder({text: [1.0, 0.0] for text in "xyz"})
    values = ClassificationTask("tiny", data).evaluate(encoder, resamples=0).values
    assert values["accuracy"] == pytest.approx(1 / 3)
    assert all(np.isfinite(list(values.values())))


def test_what_cannot_be_classified_is_refused(table_encoder):
    one = LabelledTexts(["x", "y"], ["a", "a"])
    with pytest.raises(InputError, match="of 1 class"):
        ClassificationTask("tiny", TrainAndTest(one, one))
    with pytest.raises(InputError, match=r"\[samples\].*at least 1"):
        ClassificationTask("tiny", world(), samples=0)
    broken = table_encoder({"apple pear": [np.nan, 1.0]})
    data = TrainAndTest(LabelledTexts(["apple pear", "train"], ["a", "b"]), LabelledTexts(["train"], ["b"]))
    with pytest.raises(InputError, match=r"not finite for 1 of 2 training texts, e.g. 'apple pear'"):
        ClassificationTask("tiny", data).evaluate(broken)
