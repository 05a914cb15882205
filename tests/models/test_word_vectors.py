"""Files of word vectors: the means by hand, the layouts of three programs, and files that are none."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cosmith.data.word_vectors import holds_word_vectors
from cosmith.errors import InputError
from cosmith.models import Encoder, load_word_vectors

GLOVE = "apple 3 0 4\npie 0 1 0\n. 0 0 1\nnew york 1 1 1\napple 9 9 9\n"


def written(place: Path, text: str, name: str = "vectors.txt") -> Path:
    (place / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return place / name


def test_a_text_is_the_mean_of_its_words(tmp_path: Path) -> None:
    encoder = load_word_vectors(written(tmp_path, GLOVE))
    found = encoder.encode(["Apple", "apple, pie", "unknown apple", "nothing known", "pie."])
    expected = np.array([[0.6, 0, 0.8], [3, 1, 4], [0.6, 0, 0.8], [0, 0, 0], [0, 1, 1]], dtype=np.float64)
    lengths = np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    assert np.allclose(found, expected / lengths, atol=1e-6)
    assert (encoder.dimension, encoder.name) == (3, "vectors.txt")
    again = Encoder.load(encoder.save(tmp_path / "model"))
    assert np.allclose(again.encode(["Apple pie", "?"]), encoder.encode(["Apple pie", "?"]), atol=1e-6)
    assert again.fingerprint() == encoder.fingerprint()


def test_capitals_count_where_the_file_has_some(tmp_path: Path) -> None:
    encoder = load_word_vectors(written(tmp_path, "Apple 1 0\napple 0 1\n"))
    assert encoder.encode(["Apple", "apple", "APPLE"]).tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w2v.txt", "2 3\napple 3 0 4 \npie 0 1 0 \n"),
        ("fasttext.vec", "2 3\napple 3.0 0.0 4.0\npie 0 1e0 0"),
        ("glove.txt.gz", "apple 3 0 4\r\npie 0 1 0\r\n"),
        ("tabs.txt", "\ufeffapple\t3\t0\t4\npie\t0\t1\t0\n"),
    ],
)
def test_layouts(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path, text, name)
    assert holds_word_vectors(path)
    assert load_word_vectors(path).encode(["apple", "pie"]) == pytest.approx(np.array([[0.6, 0, 0.8], [0, 1, 0]]))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("apple 1 2 3\npie 1 2\n", ":2: has 2 numbers, not 3"),
        ("apple 1 2 3\npie 1 two 3\n", ":2: is no word with its numbers"),
        ("apple 1 2 3\npie 1 nan 3\n", ":2: the vector of 'pie' is not finite"),
        ("3 2\napple 1 2\n", "ends 2 words before its first line says"),
        ("0 2\n", "holds no word"),
        ("apple\n", "has 0 numbers"),
        ("", "is empty"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_word_vectors(written(tmp_path, text))


def test_runs_and_other_files_are_told_apart(tmp_path: Path) -> None:
    for text in ("q1 Q0 d1 1 0.5 tag\n", "1 0 2 1 0.5 7\n", "a b c\n", "", "sentence1\tsentence2\tscore\n", "{}\n"):
        assert not holds_word_vectors(written(tmp_path, text))
    (tmp_path / "binary.bin").write_bytes(b"3 4\n\xff\xfe")
    (tmp_path / "no.gz").write_bytes(b"3 4\n")
    assert not holds_word_vectors(tmp_path / "no.gz")
