"""Models whose vectors have other lengths than one are scored as mteb scores them: by formulas of numpy, scipy and
scikit-learn on vectors as the modules leave them, and by the model's own similarity."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, v_measure_score

from cosmith.data import Collection, StsPairs
from cosmith.data.test_sets import (
    CandidateLists,
    JudgedPairs,
    LabelledTexts,
    ParallelTexts,
    TrainAndTest,
)
from cosmith.errors import InputError
from cosmith.evaluation import sweep, sweep_compressed
from cosmith.evaluation.choosing.candidates import storable
from cosmith.evaluation.mteb import MtebEncoder
from cosmith.evaluation.tasks import task_of
from cosmith.models import CachedEncoder, VectorCache
from cosmith.models.similarity import SIMILARITIES, encode_unscaled, similarity_of

TEXTS = [f"{number} is a text" for number in range(48)]
OTHERS = [f"{number} is another" for number in range(48)]


class Unscaled:
    """Vectors and lengths drawn by the text; the second half of a class's texts lies nearer to it."""

    max_length, dimension, normalises, name = 99, 8, False, "unscaled"

    def __init__(self, similarity: Any = "cosine") -> None:
        self.similarity = similarity

    def encode_unscaled(self, texts: Any, *, dim: int | None = None, **_: Any) -> np.ndarray:
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(-1, 8)[:, :dim]

    def _vector(self, text: str) -> np.ndarray:
        number = int(text.split()[0])
        rng = np.random.default_rng([number, len(text)])
        meant = np.random.default_rng(number).normal(size=8) + 3 * np.eye(8)[number % 3]
        return (meant + rng.normal(size=8) / 2) * rng.uniform(0.2, 5)

    def encode(self, texts: Any, *, dim: int | None = None, **_: Any) -> np.ndarray:
        vectors = self.encode_unscaled(texts, dim=dim)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def fingerprint(self) -> str:
        return f"unscaled-{self.similarity}"


def matrix(similarity: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What mteb, or sentence-transformers in it, computes."""
    if similarity == "dot":
        return first @ second.T
    if similarity == "cosine":
        return 1 - cdist(first, second, "cosine")
    return -cdist(first, second, {"euclidean": "euclidean", "manhattan": "cityblock"}[similarity])


@pytest.fixture(params=SIMILARITIES)
def encoder(request: pytest.FixtureRequest) -> Unscaled:
    return Unscaled(request.param)


def raw(texts: list[str]) -> np.ndarray:
    return Unscaled().encode_unscaled(texts)


def test_classification_learns_from_vectors_as_they_are(encoder: Unscaled) -> None:
    labels = [str(number % 3) for number in range(48)]
    task = task_of("classes", TrainAndTest(LabelledTexts(TEXTS, labels), LabelledTexts(OTHERS, labels)))
    numbers, found = list(range(48)), []
    for _ in range(10):
        np.random.RandomState(42).shuffle(numbers)
        taken: Counter[str] = Counter()
        drawn = [number for number in numbers if (taken.update([labels[number]]), taken[labels[number]] <= 8)[1]]
        model = LogisticRegression(max_iter=100, random_state=42)
        model.fit(raw(TEXTS)[drawn], np.array(labels)[drawn])
        found.append(model.score(raw(OTHERS), labels))
    assert task.evaluate(encoder, resamples=0).value == pytest.approx(np.mean(found), abs=1e-4)
    unit = LogisticRegression(max_iter=100, random_state=42).fit(encoder.encode(TEXTS), labels)
    assert unit.score(encoder.encode(OTHERS), labels) != pytest.approx(np.mean(found), abs=1e-4)


def test_clustering_takes_vectors_as_they_are(encoder: Unscaled) -> None:
    labels = [number % 3 for number in range(48)]
    task = task_of("clusters", LabelledTexts(TEXTS, list(map(str, labels))))
    rng = random.Random(42)
    chosen = rng.sample(range(48), k=48)
    vectors, found = raw([TEXTS[number] for number in chosen]), []
    for _ in range(10):
        drawn = rng.choices(range(48), k=16_384)
        model = MiniBatchKMeans(3, batch_size=512, init="k-means++", n_init=1, random_state=42)
        found.append(v_measure_score([labels[chosen[each]] for each in drawn], model.fit_predict(vectors[drawn])))
    assert task.evaluate(encoder, resamples=0).value == pytest.approx(np.mean(found), abs=1e-4)


def test_pairs_are_judged_by_all_four_similarities_of_vectors_as_they_are(encoder: Unscaled) -> None:
    alike = np.array([number % 5 < 2 for number in range(48)])
    seconds = [
        other if same else OTHERS[number - 7] for number, (other, same) in enumerate(zip(OTHERS, alike, strict=True))
    ]
    values = task_of("pairs", JudgedPairs(TEXTS, seconds, alike)).evaluate(encoder, resamples=0).values
    for similarity in SIMILARITIES:
        scores = np.diag(matrix(similarity, raw(TEXTS), raw(seconds)))
        assert values[f"{similarity}_ap"] == pytest.approx(average_precision_score(alike, scores), abs=1e-4), similarity


def test_sts_is_by_cosine_and_beside_it_by_the_models_own(encoder: Unscaled) -> None:
    gold = np.random.default_rng(0).normal(size=48)
    values = task_of("sts", StsPairs(TEXTS, OTHERS, gold.tolist())).evaluate(encoder, resamples=0).values
    for name, similarity in (("spearman", "cosine"), (f"{encoder.similarity}_spearman", encoder.similarity)):
        if name != "cosine_spearman":
            expected = spearmanr(gold, np.diag(matrix(similarity, raw(TEXTS), raw(OTHERS)))).statistic
            assert values[name] == pytest.approx(expected, abs=1e-4)
    assert "cosine_spearman" not in values


def test_bitext_takes_what_is_nearest_by_the_models_own(encoder: Unscaled) -> None:
    values = task_of("bitext", ParallelTexts(TEXTS, OTHERS)).evaluate(encoder, resamples=0).values
    nearest = matrix(encoder.similarity, raw(TEXTS), raw(OTHERS)).argmax(1)
    assert values["accuracy"] == pytest.approx((nearest == np.arange(48)).mean(), abs=1e-6)


def test_retrieval_and_reranking_are_by_the_models_own(encoder: Unscaled) -> None:
    names = [f"d{number:02}" for number in range(48)]
    collection = Collection(
        "c", dict(zip(names, OTHERS, strict=True)), {f"q{n}": text for n, text in enumerate(TEXTS)},
        {f"q{number}": {name: 1} for number, name in enumerate(names)},
    )  # fmt: skip
    scores = matrix(encoder.similarity, raw(TEXTS), raw(OTHERS))
    ranks = (scores > np.diag(scores)[:, None]).sum(1)
    expected = np.mean(np.where(ranks < 10, 1 / (ranks + 1), 0))
    assert task_of("c", collection).evaluate(encoder, resamples=0).values["mrr@10"] == pytest.approx(expected, abs=1e-4)
    others = [tuple(OTHERS[:number] + OTHERS[number + 1 :]) for number in range(48)]
    lists = CandidateLists(TEXTS, [(text,) for text in OTHERS], others)
    assert task_of("r", lists).evaluate(encoder, resamples=0).values["mrr@10"] == pytest.approx(expected, abs=1e-4)


def test_a_cache_keeps_one_kind_and_gives_both(tmp_path: Path) -> None:
    encoder = Unscaled("dot")
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        kept = CachedEncoder(encoder, cache)
        for dim in (None, 3):
            np.testing.assert_array_equal(
                encode_unscaled(kept, TEXTS, dim=dim), encoder.encode_unscaled(TEXTS, dim=dim)
            )
            np.testing.assert_allclose(kept.encode(TEXTS, dim=dim), encoder.encode(TEXTS, dim=dim), atol=1e-6)
        assert (cache.counts.made, cache.counts.again) == (48, 3 * 48)
        assert similarity_of(kept) == "dot"


def test_a_kept_unit_row_is_not_taken_for_one_as_the_modules_leave_it(tmp_path: Path) -> None:
    encoder = Unscaled()
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        encoder.normalises = True
        unit = CachedEncoder(encoder, cache).encode(TEXTS)
        encoder.normalises = False
        np.testing.assert_array_equal(CachedEncoder(encoder, cache).encode_unscaled(TEXTS), raw(TEXTS))
        encoder.normalises = True
        np.testing.assert_array_equal(CachedEncoder(encoder, cache).encode_unscaled(TEXTS), unit)


def test_a_sweep_starts_from_the_score_of_the_model_itself(encoder: Unscaled) -> None:
    alike = np.array([number % 2 == 0 for number in range(48)])
    for task in (task_of("pairs", JudgedPairs(TEXTS, OTHERS, alike)), task_of("bitext", ParallelTexts(TEXTS, OTHERS))):
        swept = sweep(encoder, task, dims=[8, 4], precisions=["float32", "int8", "binary"], resamples=0)
        alone = task.evaluate(encoder, resamples=0)
        assert swept.forms[0].scores.value == pytest.approx(alone.value, abs=1e-6)
        assert swept.forms[1].scores.value == pytest.approx(alone.value, abs=0.1)  # int8 of 8 numbers: hardly another


def test_compressed_forms_are_refused_where_lengths_count(encoder: Unscaled) -> None:
    task = task_of("bitext", ParallelTexts(TEXTS, OTHERS))
    if encoder.similarity == "cosine":
        assert sweep_compressed(encoder, task, ["float32", "int8"], resamples=0).forms
    else:
        with pytest.raises(InputError, match=f"compared by {encoder.similarity}"):
            sweep_compressed(encoder, task, ["int8"])


@pytest.mark.parametrize(("scale", "said"), [(1e25, "too large to compare"), (np.nan, "not finite")])
def test_vectors_that_no_inner_product_can_hold_are_refused(scale: float, said: str) -> None:
    class Beyond(Unscaled):
        def encode_unscaled(self, texts: Any, *, dim: int | None = None, **how: Any) -> np.ndarray:
            return super().encode_unscaled(texts, dim=dim, **how) * np.float32(scale)

    task = task_of("pairs", StsPairs([TEXTS[0], TEXTS[2]], [OTHERS[1], OTHERS[2]], [0.5, 1.0]))
    with pytest.raises(InputError, match=rf"{said}.*for 4 of 4 texts, e.g. '0 is a text'"):
        task.evaluate(Beyond("dot"))
    with pytest.raises(InputError, match=f"{said}.*e.g. '0 is a text'"):
        MtebEncoder(Beyond("dot"), meta=None).encode([{"text": TEXTS[:2]}])


def test_forms_that_no_index_takes_are_not_recommended() -> None:
    every = ["float32", "int8", "binary"]
    assert storable(Unscaled("cosine"), every, "it") == (every, [])
    forms, notes = storable(Unscaled("dot"), every, "it")
    assert forms == ["float32"]
    assert notes == [
        "it is compared by dot, and vectors in coarser forms by cosine, so int8, binary is not tried of it."
    ]
    assert storable(Unscaled("dot"), ["float32"], "it") == (["float32"], [])
