"""Word similarity and analogies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosmith.data import StsPairs
from cosmith.data.test_sets import Analogies, WordPairs
from cosmith.errors import InputError
from cosmith.evaluation import Scores, compare_models
from cosmith.evaluation.tasks import AnalogyTask, StsTask, SubsetsTask, WordSimilarityTask
from cosmith.evaluation.tasks.analogy import three_cos_add, three_cos_mul


def test_similarity_over_the_known_pairs_by_hand(table_encoder, on_circle):
    angles = {"sun": 0, "moon": 10, "star": 40, "car": 90}
    encoder = table_encoder({word: on_circle(angle) for word, angle in angles.items()})
    data = WordPairs(["sun", "sun", "sun", "sun"], ["moon", "star", "car", "zyzzyva"], np.array([3.0, 4.0, 1.0, 9.0]))
    scores = WordSimilarityTask("tiny", data).evaluate(encoder, resamples=50)
    assert scores.value == pytest.approx(0.5)  # ranks 3 2 1 against 2 3 1
    assert scores.values["coverage"] == 3 / 4
    assert scores.query_ids == ("0", "1", "2")
    assert scores.per_query["spearman"].mean() == pytest.approx(0.5)


def test_few_pairs_have_an_interval_of_correlations_and_models_are_paired_on_what_both_know(table_encoder, on_circle):
    angles = {"sun": 0, "moon": 10, "star": 40, "car": 90, "tree": 60}
    data = WordPairs(["sun"] * 4, ["moon", "star", "car", "tree"], np.array([3.0, 4.0, 1.0, 2.0]))
    task = WordSimilarityTask("tiny", data)
    one = task.evaluate(table_encoder({word: on_circle(angle) for word, angle in angles.items()}), model="one")
    assert -1 <= one.intervals["spearman"].low <= one.value <= one.intervals["spearman"].high <= 1
    known = {word: on_circle(angle) for word, angle in angles.items() if word != "moon"}
    other = task.evaluate(table_encoder(known), model="other")
    comparison = one.compare(other)
    assert (comparison.count, comparison.left_out) == (3, 1)
    assert "tiny, 3 to 4 of 4 pairs" in one.table(other)


def test_a_model_that_knows_no_word_scores_zero(table_encoder):
    data = WordPairs(["a", "b"], ["c", "d"], np.array([1.0, 2.0]))
    scores = WordSimilarityTask("tiny", data).evaluate(table_encoder({"x": [1.0, 0.0]}), resamples=10)
    assert scores.values == {"spearman": 0, "coverage": 0}
    assert scores.query_ids == ()
    table = " ".join(scores.table().split())
    assert "tiny, 0 of 2 pairs" in table
    assert "coverage 0.0000" in table
    assert "1 pair" not in table
    assert Scores.from_dict(scores.to_dict()).total == 2
    compared = scores.compare(replace(scores, model="other"))
    assert compared.describe().startswith("+0.000 (0 pairs: no interval), p = 1.000, 0 of 0 pairs better")
    sts = StsTask("sts", StsPairs(["a", "b", "c"], ["x", "x", "x"], np.array([1.0, 2.0, 3.0])))
    circle = table_encoder({"a": [1.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 1.0], "x": [0.0, 1.0]})
    known = [sts.evaluate(circle, resamples=10, model=model) for model in ("one", "other")]
    unknown = [replace(scores, model=each.model) for each in known]
    mean = compare_models([*known, *unknown], resamples=10)
    assert mean.macro["one"].value == pytest.approx(known[0].value / 2)
    assert mean.macro["one"].interval is None
    assert not mean.pairs[-1].comparison.has_interval
    analogies = Analogies([("a", "b", "c", "d")], [""])
    scores = AnalogyTask("tiny", analogies).evaluate(table_encoder({"x": [1.0, 0.0]}), resamples=10)
    assert scores.values == {"3cosadd": 0, "3cosmul": 0, "coverage": 0}
    assert "0 of 1 question" in " ".join(scores.table().split())
    parts = tuple(WordSimilarityTask(name, data) for name in ("one", "other"))
    of_sets = SubsetsTask("both", parts, by="language").evaluate(table_encoder({"x": [1.0, 0.0]}), resamples=10)
    assert (of_sets.value, of_sets.sets, of_sets.intervals) == (0, (1, 1), {})
    with pytest.raises(InputError, match="all equal"):
        WordSimilarityTask("tiny", WordPairs(["a"], ["b"], np.array([1.0])))


def test_analogies_by_hand(table_encoder, on_circle):
    angles = {"man": 0, "king": 30, "woman": 90, "queen": 120, "far": 200}
    encoder = table_encoder({word: on_circle(angle) for word, angle in angles.items()})
    questions = [("man", "king", "woman", "queen"), ("king", "man", "queen", "woman"), ("man", "king", "woman", "far"),
                 ("man", "king", "woman", "unknown")]  # fmt: skip
    scores = AnalogyTask("tiny", Analogies(questions, ["royal", "royal", "odd", "odd"])).evaluate(encoder, resamples=50)
    assert scores.values["coverage"] == 3 / 4
    assert scores.values["3cosadd"] == pytest.approx(2 / 3)
    # king : man = queen : ? is lost: far is nearly opposite to king, so 0.030 * 0.587 / 0.0086 > 0.5 * 0.933 / 0.751
    assert scores.values["3cosmul"] == pytest.approx(1 / 3)
    assert scores.per_query["3cosadd"].tolist() == [1, 1, 0]
    assert scores.breakdown is not None
    assert scores.breakdown.rows["royal"] == {"3cosadd": 1, "3cosmul": 0.5, "coverage": 1, "questions": 2}
    assert scores.breakdown.rows["odd"]["coverage"] == 1 / 2
    few = Analogies(questions[:1], [""], vocabulary=("man", "king", "woman", "far"))
    assert AnalogyTask("tiny", few).evaluate(encoder, resamples=0).value == 0  # the answer is not among the words


def test_the_two_formulas():
    to_a, to_b, to_c = (np.array([[value]], dtype=np.float32) for value in (0.5, 0.8, -0.2))
    assert three_cos_add(to_a, to_b, to_c)[0, 0] == pytest.approx(0.1)
    assert three_cos_mul(to_a, to_b, to_c)[0, 0] == pytest.approx(0.9 * 0.4 / 0.751)
