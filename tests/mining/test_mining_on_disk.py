"""Mining with a folder: the same outcome, vectors that are made once, and a killed call that goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import Source, TrainingRow
from cosmith.data.texts import TextTable
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.mining.hard_negatives import blocks
from cosmith.mining.hard_negatives.search import Search
from cosmith.models import tiny_encoder
from cosmith.models.fingerprint_parts import computed_in
from cosmith.retrieval import vectors

OPTIONS = {"negatives_per_row": 2, "sample": "random", "depth": 6, "seed": 4, "scores": True}


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(vectors, "SHARD_ROWS", 9)
    for name, size in (("QUERIES", 3), ("DOCUMENTS", 8), ("ROWS", 7)):
        monkeypatch.setattr(blocks, name, size)


def rows_of(count: int) -> Source:
    return Source.from_rows("rows", [TrainingRow(f"query {n}", (f"answer {n}", f"more {n % 5}")) for n in range(count)])


def outcome(result):
    rows, scores = list(result.source.rows()), result.source.scores.tolist()
    return rows, scores, result.rejected, result.estimated_positives, list(result.possible_positives), result.describe()


@pytest.mark.parametrize("candidates", ["dense", "both"])
def test_a_folder_changes_nothing_and_is_read_the_second_time(hash_encoder, tmp_path, candidates):
    first, second = hash_encoder(), hash_encoder()
    options = {**OPTIONS, "candidates": candidates, "corpus": [f"extra {n}" for n in range(11)]}
    expected = outcome(mine_hard_negatives(first, rows_of(25), **options))
    assert outcome(mine_hard_negatives(second, rows_of(25), folder=tmp_path, **options)) == expected
    third = hash_encoder()
    assert outcome(mine_hard_negatives(third, rows_of(25), folder=tmp_path, **options)) == expected
    assert second.calls == first.calls
    assert not third.calls


@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_call_that_dies_goes_on_where_it_was(hash_encoder, tmp_path, monkeypatch, after):
    expected = outcome(mine_hard_negatives(hash_encoder(), rows_of(25), **OPTIONS))
    calls, encode, of = [], hash_encoder.encode, Search.of

    def dying(real):
        def counted(*arguments, **keywords):
            calls.append(real)
            if len(calls) == after:
                raise KeyboardInterrupt
            return real(*arguments, **keywords)

        return counted

    monkeypatch.setattr(hash_encoder, "encode", dying(encode))
    monkeypatch.setattr(Search, "of", dying(of))
    done = 0
    for _ in range(20):
        calls.clear()
        try:
            found = mine_hard_negatives(hash_encoder(), rows_of(25), folder=tmp_path, **OPTIONS)
            break
        except KeyboardInterrupt:
            done += 1
            after += done == 1 and after == 1  # else it would never get further than nothing
    assert done
    assert outcome(found) == expected


def test_other_weights_texts_or_settings_find_nothing_of_each_other(hash_encoder, tmp_path):
    class Other(hash_encoder):
        def fingerprint(self):
            return "other"

        def encode(self, texts, **keywords):
            return -super().encode(texts, **keywords)[:, ::-1]

    for encoder, source, options in (
        (hash_encoder, rows_of(20), {}),
        (Other, rows_of(20), {}),
        (hash_encoder, rows_of(21), {}),
        (hash_encoder, rows_of(20), {"ratio": None}),
        (hash_encoder, rows_of(20), {"dim": 5}),
        (hash_encoder, rows_of(20), {"corpus": ["one more"]}),
        (hash_encoder, rows_of(20), {"stored_as": "float16"}),
    ):
        alone = mine_hard_negatives(encoder(), source, **{**OPTIONS, **options})
        assert outcome(mine_hard_negatives(encoder(), source, folder=tmp_path, **{**OPTIONS, **options})) == outcome(
            alone
        )


def test_half_the_numbers_find_nearly_the_same(hash_encoder, tmp_path):
    exact, half = (
        mine_hard_negatives(hash_encoder(), rows_of(40), negatives_per_row=3, stored_as=kind, folder=tmp_path / kind)
        for kind in ("float32", "float16")
    )
    sizes = [
        sum(f.stat().st_size for f in (tmp_path / kind).rglob("vectors/*/*.npy")) for kind in ("float32", "float16")
    ]
    assert sizes[1] < 0.75 * sizes[0]
    assert np.abs(exact.positive_scores - half.positive_scores).max() < 2e-3
    same = [a.negatives == b.negatives for a, b in zip(exact.source.rows(), half.source.rows(), strict=True)]
    assert np.mean(same) > 0.9


def test_a_damaged_shard_is_told(hash_encoder, tmp_path):
    mine_hard_negatives(hash_encoder(), rows_of(25), folder=tmp_path)
    shard = sorted((tmp_path / "vectors").rglob("*.npy"))[0]
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"not a whole \.npy file") as refused:
        mine_hard_negatives(hash_encoder(), rows_of(25), folder=tmp_path, ratio=None)
    assert refused.value.path == shard
    found = next((tmp_path / "searches").rglob("*.npz"))
    found.write_bytes(found.read_bytes()[:-50])
    shard.unlink()
    with pytest.raises(InputError, match="not what a search found") as refused:
        mine_hard_negatives(hash_encoder(), rows_of(25), folder=tmp_path)
    assert refused.value.path == found


@settings(max_examples=25)
@given(count=st.integers(1, 40), start=st.integers(0, 39), length=st.integers(1, 40), seed=st.integers(0, 99))
def test_shards_read_as_one_array(hash_encoder, count, start, length, seed):
    start = min(start, count - 1)
    texts, numbers = TextTable.from_texts(str(n) for n in range(count))
    encoder = hash_encoder()
    found = vectors.encode_in_shards(vectors.Encoding(encoder, texts, numbers, "queries"), None)
    whole = encoder.encode([str(n) for n in range(count)])
    part = slice(start, min(start + length, count))
    assert np.array_equal(found.part(part), whole[part])
    taken = np.random.default_rng(seed).integers(0, count, 12)
    assert np.array_equal(found.take(taken), whole[taken])


def test_vectors_of_another_precision_are_others() -> None:
    texts, numbers = TextTable.from_texts(["one", "two"])
    by_itself = tiny_encoder("bert")
    by_itself.precision = "auto"
    taken = computed_in(by_itself)
    keys: dict[str, str] = {}
    for precision in ("auto", "float32", "bf16"):
        by_itself.precision = precision
        keys[precision] = vectors.Encoding(by_itself, texts, numbers, "texts").key()
    assert keys["auto"] == keys[taken]
    assert keys["float32"] != keys["bf16"]
