"""A static student: where it begins, what it learns, and what is left when it is shortened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.compression import shorten_static, static_student
from cosmith.errors import InputError
from cosmith.models import Encoder, initialise, initialise_static, tiny_encoder
from cosmith.training import TrainingSettings, distil

TEXTS = [f"{a} {b} of the {c}" for a in ("a red", "one old", "my", "no") for b in ("boat", "hill", "cup", "song")
         for c in ("north", "sea", "town", "moon", "king")]  # fmt: skip


@pytest.fixture(scope="module")
def teacher() -> Encoder:
    return initialise(TEXTS, vocabulary=330, layers=1, hidden=16, heads=2, backbone="bert", name="teacher")


def test_it_begins_with_the_vectors_of_tokens_by_their_frequency_in_the_texts(teacher: Encoder) -> None:
    start = static_student(teacher, TEXTS, smoothing=0.01)
    table = start.module["backbone"].embedding.weight.detach().numpy()  # type: ignore[union-attr, operator]
    words = teacher.tokenizer.tokenizer
    alone = []
    with torch.no_grad():
        for number in range(len(words)):
            tokens = teacher.tokenize([""])
            values = np.insert(tokens.values, 1, number).astype(np.int32)  # between what stands around every text
            one = type(tokens)(values, np.array([0, len(values)]), np.array([len(values)], np.int32))
            alone.append(teacher.embed(one, normalize=False)[0].numpy())
    counts = np.full(len(words), 0.1)
    for text in TEXTS:
        for number in words.backend_tokenizer.encode(text, add_special_tokens=False).ids:
            counts[number] += 1
    vectors = np.array(alone, np.float64)
    expected = (vectors - vectors.mean(0)) * (0.01 / (0.01 + counts / counts.sum()))[:, None]
    np.testing.assert_allclose(table, expected, atol=1e-5)
    assert (start.name, start.dimension) == ("teacher-static", 16)


def test_it_learns_and_keeps_most_when_it_is_shortened(teacher: Encoder, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    start = static_student(teacher, TEXTS)
    settings = TrainingSettings(epochs=30, batch_size=20, learning_rate=1e-2, precision="float32")
    taught = distil(start, teacher, TEXTS, settings).encoder
    wanted = teacher.encode(TEXTS)
    near = [float((each.encode(TEXTS) * wanted).sum(1).mean()) for each in (start, taught)]
    assert near[1] > near[0] + 0.01
    whole = taught.encode(TEXTS)
    errors = []
    for dimension in (2, 8, 16):
        short = shorten_static(taught, TEXTS, dimension)
        vectors = short.encode(TEXTS)
        assert vectors.shape[1] == dimension
        errors.append(np.abs(vectors @ vectors.T - whole @ whole.T).mean())
    assert errors[0] > errors[1] > errors[2] == 0
    folder = shorten_static(taught, TEXTS, 8, name="short").save(tmp_path / "model")
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(theirs.encode(TEXTS), shorten_static(taught, TEXTS, 8).encode(TEXTS), atol=1e-6)


def test_a_maximum_length_travels_along(teacher: Encoder, tmp_path: Path) -> None:
    start = static_student(teacher, TEXTS, max_length=3)
    short = shorten_static(start, TEXTS, 4)
    assert start.max_length == short.max_length == Encoder.load(short.save(tmp_path / "m")).max_length == 3


def test_what_cannot_be_done_is_refused(teacher: Encoder) -> None:
    static = initialise_static(teacher.tokenizer.tokenizer, dimension=8)
    with pytest.raises(InputError, match="static model already"):
        static_student(static, TEXTS)
    with pytest.raises(InputError, match="are none"):
        static_student(teacher, [])
    with pytest.raises(InputError, match="must be above 0"):
        static_student(teacher, TEXTS, smoothing=0)
    with pytest.raises(InputError, match="no static model"):
        shorten_static(tiny_encoder("bert"), TEXTS, 4)
    with pytest.raises(InputError, match="9 is not between 1 and the model's 8"):
        shorten_static(static, TEXTS, 9)
