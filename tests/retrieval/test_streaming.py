"""A stream of texts becomes shards of vectors, whatever comes between, and never shards of two things."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.models import Encoder, batched, tiny_encoder
from cosmith.retrieval import encode_stream

TEXTS = [(f"id {number}", f"text {number % 7} " + "many words " * (number % 5)) for number in range(23)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder("bert", max_length=12)


def vectors_in(files: list[Path]) -> np.ndarray:
    return np.concatenate([np.stack(parquet.read_table(file)["vector"].to_pylist()) for file in files])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def cut_off(after: int) -> Iterator[tuple[str, str]]:
    """The texts until something ends the process that encodes them."""
    yield from TEXTS[:after]
    raise KeyboardInterrupt


def test_shards_hold_the_encoders_vectors_with_ids_and_tokens(encoder: Encoder, tmp_path: Path) -> None:
    found = encode_stream(encoder, iter(TEXTS), tmp_path / "out", rows=5, token_counts=True, prompt="document")
    texts = [text for _, text in TEXTS]
    lengths = encoder.tokenize(texts, prompt="document").full_lengths
    assert [file.name for file in found.files] == [f"{number:06d}.parquet" for number in range(5)]
    np.testing.assert_allclose(vectors_in(found.files), encoder.encode(texts, prompt="document"), atol=1e-6)
    whole = parquet.read_table(tmp_path / "out")  # as a data set: the other files are passed over
    assert whole["_id"].to_pylist() == [name for name, _ in TEXTS]
    assert whole["tokens"].to_pylist() == lengths.tolist()
    assert (found.texts, found.tokens, found.cut) == (23, int(lengths.sum()), int((lengths > 12).sum()))
    assert dict(found.cut_texts()) == {TEXTS[row][0]: int(lengths[row]) for row in np.flatnonzero(lengths > 12)}
    assert found.cut


def test_a_shard_is_tokenised_ahead_in_parts_and_is_the_same(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encode_stream(encoder, TEXTS, tmp_path / "whole", token_counts=True)
    monkeypatch.setattr(batched, "_WINDOW", 4)
    parts = encode_stream(encoder, TEXTS, tmp_path / "parts", token_counts=True)
    np.testing.assert_allclose(vectors_in(parts.files), vectors_in(whole.files), atol=1e-6)
    assert [parquet.read_table(each.files[0])["tokens"].to_pylist() for each in (whole, parts)] == [
        encoder.tokenize([text for _, text in TEXTS]).full_lengths.tolist()
    ] * 2
    assert dict(parts.cut_texts()) == dict(whole.cut_texts())


def test_arrays_with_ids_beside_hold_the_same(encoder: Encoder, tmp_path: Path) -> None:
    found = encode_stream(encoder, TEXTS, tmp_path / "out", rows=5, form="npy", dim=8, stored_as="float16")
    arrays = np.concatenate([np.load(file) for file in found.files])
    assert arrays.dtype == np.float16
    np.testing.assert_allclose(arrays, encoder.encode([text for _, text in TEXTS], dim=8), atol=1e-3)
    ids = [json.loads(line)["_id"] for file in found.ids_files for line in file.read_text().splitlines()]
    assert ids == [name for name, _ in TEXTS]


@given(after=st.integers(0, 22), rows=st.integers(1, 30))
@settings(max_examples=15)
def test_what_was_cut_off_ends_as_what_was_not(
    after: int, rows: int, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("streams")
    encode_stream(encoder, TEXTS, place / "whole", rows=rows)
    with pytest.raises(KeyboardInterrupt):
        encode_stream(encoder, cut_off(after), place / "again", rows=rows)
    stood = {file: file.stat().st_mtime_ns for file in (place / "again").glob("*.parquet")}
    assert len(stood) == after // rows
    encode_stream(encoder, iter(TEXTS), place / "again", rows=rows)
    assert {file: file.stat().st_mtime_ns for file in stood} == stood
    assert files_of(place / "again") == files_of(place / "whole")


def test_a_text_is_encoded_once_in_a_shard_and_no_more_is_taken_than_a_shard(
    words_encoder: Any, tmp_path: Path
) -> None:
    encoder, taken = words_encoder(), []

    def texts() -> Iterator[tuple[str, str]]:
        for number in range(12):
            taken.append((number, len(encoder.calls)))
            yield str(number), f"text {number % 2}"

    found = encode_stream(encoder, texts(), tmp_path / "out", rows=4)
    assert [len(given) for given, _ in encoder.calls] == [2, 2, 2]
    assert found.encoded == 6
    assert found.cut is None  # this encoder does not tell
    assert [calls for _, calls in taken] == [0] * 4 + [1] * 4 + [2] * 4


def test_other_texts_are_refused_where_shards_stand(encoder: Encoder, tmp_path: Path) -> None:
    encode_stream(encoder, TEXTS, tmp_path / "out", rows=5)
    before = files_of(tmp_path / "out")
    other = [*TEXTS[:7], ("id 7", "something else"), *TEXTS[8:]]
    with pytest.raises(InputError, match=r"000001.parquet.*is of other texts than number 6 to 10 of those"):
        encode_stream(encoder, other, tmp_path / "out", rows=5)
    renamed = [("id", text) for _, text in TEXTS]
    with pytest.raises(InputError, match="is of other texts than number 1 to 5"):
        encode_stream(encoder, renamed, tmp_path / "out", rows=5)
    with pytest.raises(InputError, match=r"000003.parquet.*is of more texts than were given"):
        encode_stream(encoder, TEXTS[:15], tmp_path / "out", rows=5)
    with pytest.raises(InputError, match="there are no texts to encode"):
        encode_stream(encoder, [], tmp_path / "out", rows=5)
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prompt": "query"}, "prompt none there, query here"),
        ({"dim": 8}, "dimensions 32 there, 8 here"),
        ({"form": "npy"}, "shards kept as parquet there, npy here"),
        ({"rows": 6}, "texts a shard 5 there, 6 here"),
        ({"token_counts": True}, "token counts False there, True here"),
        ({"stored_as": "float16"}, "kept as float32 there, float16 here"),
    ],
)
def test_shards_made_otherwise_are_refused_with_what_differs(
    options: dict[str, Any], told: str, encoder: Encoder, tmp_path: Path
) -> None:
    encode_stream(encoder, TEXTS, tmp_path / "out", rows=5)
    with pytest.raises(InputError) as refused:
        encode_stream(encoder, TEXTS, tmp_path / "out", **{"rows": 5, **options})
    assert f"holds vectors that were made otherwise: {told}." in str(refused.value)


def test_shards_of_another_model_are_refused_with_what_differs(tmp_path: Path) -> None:
    encode_stream(tiny_encoder("bert", max_length=12), TEXTS, tmp_path / "out")
    shorter = tiny_encoder("bert", max_length=12)
    shorter.spec = replace(shorter.spec, max_length=10)
    for other, told in (
        (shorter, "maximum length 12 there, 10 here."),
        (tiny_encoder("bert", max_length=12, seed=1), "other weights."),
    ):
        with pytest.raises(InputError) as refused:
            encode_stream(other, TEXTS, tmp_path / "out")
        assert f"made otherwise: {told}" in str(refused.value)


def test_what_is_no_folder_of_shards_is_left_alone(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="holds something else than shards of vectors"):
        encode_stream(encoder, TEXTS, tmp_path)
    for options, field in (({"prompt": "none such"}, "prompt"), ({"dim": 99}, "dim"), ({"form": "csv"}, "form")):
        with pytest.raises(InputError, match=rf"\[{field}\]"):
            encode_stream(encoder, TEXTS, tmp_path / "new", **options)
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]
