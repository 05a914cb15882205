"""Texts numbered on disk: as in memory, whatever the blocks."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import TextTable, numbering
from cosmith.data.numbering import TextNumbering
from cosmith.data.spools import Spool

any_texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=60)


@given(any_texts, st.sampled_from([1, 2, 7, 1000]), st.sampled_from([1, 20, 10_000]))
@settings(max_examples=60)
def test_texts_are_numbered_as_in_memory(texts: list[str], most_texts: int, most_bytes: int) -> None:
    table, numbers = TextTable.from_texts(texts)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(numbering, "_MOST_TEXTS", most_texts)
        patch.setattr(numbering, "_MOST_BYTES", most_bytes)
        patch.setattr(numbering, "_AT_ONCE", most_texts)
        waiting = TextNumbering(Path(folder))
        for text in texts:
            waiting.add(text.encode())
        found = waiting.finish()
        assert not list(Path(folder).iterdir())
    assert len(found) == len(table)
    assert found.numbers.read(0, len(texts)).tolist() == numbers.tolist()
    assert found.hashes.read(0, len(table)).tolist() == table.hashes.tolist()
    assert found.occurrence_hashes.read(0, len(texts)).tolist() == table.hashes[numbers].tolist()
    ends, content = found.ends.read(0, len(table) + 1).tolist(), found.texts.read(0, found.texts.size)
    assert [content[a:b].decode() for a, b in pairwise(ends)] == table.take(range(len(table)))
    assert list(found.distinct()) == table.take(range(len(table)))


def test_a_spool_gives_back_what_came(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "q")
    expected = []
    for number in range(70_000):
        spool.append(number * 3)
        expected.append(number * 3)
    spool.extend(np.arange(5))
    spool.extend([7, 8])
    expected += [0, 1, 2, 3, 4, 7, 8]
    assert len(spool) == len(expected)
    assert np.concatenate(list(spool.blocks())).tolist() == expected
    assert spool.read(69_999, 3).tolist() == [209_997, 0, 1]
