"""Ragged tokens and their store."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import RaggedTokens, TextTable, tokens, tokens_of
from cosmith.errors import StorageError

LONGEST = 4
rows_of_ids = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=12)


def ragged(rows: list[list[int]]) -> RaggedTokens:
    """Rows cut at LONGEST."""
    cut = [row[:LONGEST] for row in rows]
    return RaggedTokens(
        np.array([value for row in cut for value in row], np.int32),
        np.cumsum([0, *map(len, cut)]).astype(np.int64),
        np.array([len(row) for row in rows], np.int32),
    )


def rows_in(found: RaggedTokens) -> list[list[int]]:
    return [found.values[start:end].tolist() for start, end in zip(found.offsets, found.offsets[1:], strict=False)]


def assert_equal(a: RaggedTokens, b: RaggedTokens) -> None:
    for name in ("values", "offsets", "full_lengths"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype
        assert np.array_equal(x, y), name


class Tokenizer:
    """A token a character; counts the texts that it was given."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, texts: list[str]) -> RaggedTokens:
        self.texts += len(texts)
        return ragged([[ord(character) for character in text] for text in texts])


@pytest.fixture
def table() -> TextTable:
    return TextTable.from_texts(["one", "three", "", "ε", "seventeen"])[0]


class TestRaggedTokens:
    @given(rows_of_ids, st.data())
    def test_take(self, rows: list[list[int]], data: st.DataObject) -> None:
        numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20)) if rows else []
        assert_equal(ragged(rows).take(numbers), ragged([rows[number] for number in numbers]))

    @given(st.lists(rows_of_ids, max_size=4))
    def test_concatenate(self, parts: list[list[list[int]]]) -> None:
        assert_equal(
            RaggedTokens.concatenate(list(map(ragged, parts))), ragged([row for part in parts for row in part])
        )

    def test_lengths_and_truncated(self) -> None:
        found = ragged([[1], [1, 2, 3, 4, 5], [], [1, 2, 3, 4]])
        assert found.lengths.tolist() == [1, 4, 0, 4]
        assert found.full_lengths.tolist() == [1, 5, 0, 4]
        assert found.truncated.tolist() == [False, True, False, False]
        assert len(found) == 4

    def test_refuses_what_does_not_fit_together(self) -> None:
        values, offsets, lengths = np.zeros(3, np.int32), np.array([0, 1, 3]), np.array([1, 2], np.int32)
        with pytest.raises(TypeError, match="values is a one-dimensional int32 array, not int64"):
            RaggedTokens(values.astype(np.int64), offsets, lengths)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="offsets begin with 0"):
            RaggedTokens(values, np.array([0, 4, 3]), lengths)
        with pytest.raises(ValueError, match="3 texts need"):
            RaggedTokens(values, offsets, np.zeros(3, np.int32))
        with pytest.raises(IndexError, match="text number 2"):
            RaggedTokens(values, offsets, lengths).take([2])


class TestTokensOf:
    @pytest.fixture(params=["memory", "folder"])
    def folder(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
        return tmp_path if request.param == "folder" else None

    def test_row_i_belongs_to_text_i(
        self, table: TextTable, folder: Path | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tokens, "_CHUNK", 2)
        found = tokens_of(table, None, Tokenizer(), "key", folder)
        assert rows_in(found) == [list(map(ord, table[number][:LONGEST])) for number in range(len(table))]
        assert found.full_lengths.tolist() == [3, 5, 0, 1, 9]

    def test_only_some(self, table: TextTable, folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "_CHUNK", 1)
        tokenizer = Tokenizer()
        found = tokens_of(table, np.array([4, 1, 1]), tokenizer, "key", folder)
        assert tokenizer.texts == 2
        assert rows_in(found) == [[], list(map(ord, "thre")), [], [], list(map(ord, "seve"))]
        assert found.full_lengths.tolist() == [0, 5, 0, 0, 9]
        none = tokens_of(table, np.array([], np.int64), tokenizer, "key", folder)
        assert none.lengths.tolist() == [0] * 5

    def test_no_texts(self, folder: Path | None) -> None:
        assert len(tokens_of(TextTable.from_texts([])[0], None, Tokenizer(), "key", folder)) == 0

    def test_a_tokenizer_that_loses_texts(self, table: TextTable, folder: Path | None) -> None:
        with pytest.raises(ValueError, match="given 5 texts and returned 1"):
            tokens_of(table, None, lambda texts: ragged([[1]]), "key", folder)
        assert folder is None or not list(folder.rglob("*.npy"))

    def test_kept_and_mapped(self, table: TextTable, tmp_path: Path) -> None:
        tokenizer = Tokenizer()
        first = tokens_of(table, None, tokenizer, "bert-256", tmp_path)
        assert {path.name for path in (tmp_path / "tokens" / "bert-256").iterdir()} == {
            "values.npy", "offsets.npy", "full_lengths.npy", "tokens.json",
        }  # fmt: skip
        assert np.array_equal(np.load(tmp_path / "tokens" / "bert-256" / "values.npy"), first.values)
        again = tokens_of(table, np.arange(5), tokenizer, "bert-256", tmp_path)  # all of them are no subset
        assert tokenizer.texts == 5
        assert_equal(first, again)
        assert isinstance(again.values.base, np.memmap)

    @pytest.mark.parametrize(
        "other",
        [
            lambda table, folder, use: tokens_of(table, None, use, "other key", folder),
            lambda table, folder, use: tokens_of(table, np.arange(3), use, "key", folder),
            lambda table, folder, use: tokens_of(TextTable.from_texts(list("abcde"))[0], None, use, "key", folder),
        ],
        ids=["key", "numbers", "texts"],
    )
    def test_not_used_for_anything_else(
        self, table: TextTable, tmp_path: Path, other: Callable[..., RaggedTokens]
    ) -> None:
        tokens_of(table, None, Tokenizer(), "key", tmp_path)
        assert_equal(other(table, tmp_path, Tokenizer()), other(table, None, Tokenizer()))

    @pytest.mark.parametrize("key", ["a/b", "..", "x" * 300, "Instruct: {task}\nQuery:"])
    def test_any_key_makes_a_folder_name(self, table: TextTable, tmp_path: Path, key: str) -> None:
        tokenizer = Tokenizer()
        for _ in range(2):
            tokens_of(table, None, tokenizer, key, tmp_path)
        assert tokenizer.texts == 5
        assert len([path for path in (tmp_path / "tokens").iterdir() if path.is_dir()]) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["tokens"]

    @pytest.mark.parametrize("name", ["values.npy", "offsets.npy", "tokens.json"])
    def test_damaged_ones_are_made_anew(self, table: TextTable, tmp_path: Path, name: str) -> None:
        first = tokens_of(table, None, Tokenizer(), "key", tmp_path)
        expected = RaggedTokens(*(np.array(part) for part in (first.values, first.offsets, first.full_lengths)))
        del first
        path = tmp_path / "tokens" / "key" / name
        path.write_bytes(path.read_bytes()[:-3])
        assert_equal(tokens_of(table, None, Tokenizer(), "key", tmp_path), expected)

    def test_an_interrupt_leaves_none(self, table: TextTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "_CHUNK", 2)
        tokenizer = Tokenizer()

        def interrupted(texts: list[str]) -> RaggedTokens:
            if tokenizer.texts:
                raise KeyboardInterrupt
            return tokenizer(texts)

        with pytest.raises(KeyboardInterrupt):
            tokens_of(table, None, interrupted, "key", tmp_path)
        assert not [path for path in (tmp_path / "tokens").iterdir() if path.is_dir()]

    def test_full_disk(self, table: TextTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full"):
            tokens_of(table, None, Tokenizer(), "key", tmp_path)
        assert not [path for path in (tmp_path / "tokens").iterdir() if path.is_dir()]

    @pytest.mark.skipif(os.name != "posix", reason="file locks of POSIX systems")
    def test_those_that_ask_at_once_wait_for_one(self, table: TextTable, tmp_path: Path) -> None:
        tokenizer = Tokenizer()

        def slowly(texts: list[str]) -> RaggedTokens:
            time.sleep(0.1)
            return tokenizer(texts)

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: tokens_of(table, None, slowly, "key", tmp_path), range(4)))
        assert tokenizer.texts == 5
        for each in found:
            assert_equal(each, found[0])
