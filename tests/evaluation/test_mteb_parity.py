"""Every kind of task, on the real data sets, against the package `mteb` with the same vectors."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cosmith.evaluation.task_files import read_task
from cosmith.evaluation.tasks import task_of

SETS = (
    "stsb", "twitter-url", "banking77", "clus-stackoverflow", "wikiqa", "tatoeba", "scifact", "cranfield", "medquad",
)  # fmt: skip


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    pytest.importorskip("mteb", reason="needs mteb, which is no dependency of cosmith: pip install mteb")
    place = Path(__file__).resolve().parents[2] / "benchmarks" / "quality" / "mteb_parity.py"
    spec = importlib.util.spec_from_file_location("mteb_parity", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for the names of their types
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("similarity", [None, "cosine", "dot"])
@pytest.mark.parametrize("name", [*SETS, "drawn summaries"])
def test_all_metrics_are_those_of_mteb(name, similarity, parity, request):
    if name == "drawn summaries":
        task = task_of(name, parity.summaries_of_words())
    else:
        task = read_task(request.getfixturevalue("shared_data") / name).task
    encoder = parity.RandomWords() if similarity is None else parity.UnscaledRandomWords(similarity)
    found = parity.compare(task, encoder)
    assert found
    worst = max(found, key=lambda each: each.difference)
    assert worst.difference < parity.TOLERANCE, worst
