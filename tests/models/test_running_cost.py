"""What a model costs to run, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.models.running_cost import measure_running


def test_queries_are_timed_one_by_one_and_documents_together(tmp_path: Path) -> None:
    tiny_encoder("bert").save(tmp_path / "model")
    found = measure_running(str(tmp_path / "model"), ["one", "two"], ["some words"] * 5, precision="float32")
    assert len(found.query_seconds) == 2
    assert min(found.query_seconds) > 0
    assert found.documents_per_second > 0
    assert found.process > found.weights > 0
    assert found.processor
    alone = measure_running(str(tmp_path / "model"), ["one"], precision="float32")
    assert alone.documents_per_second == 0


def test_an_exported_model_runs_without_torch(exported_model: tuple[Any, Path]) -> None:
    pytest.importorskip("onnxruntime")
    encoder, folder = exported_model
    found = measure_running(str(folder), ["one"], ["two"], runtime="onnx", precision="int8", instruction="it")
    in_torch = 250 * 10**6  # torch alone takes more
    assert found.process < in_torch
    assert found.weights == (folder / "onnx" / "model_qint8.onnx").stat().st_size
    assert found.threads >= 1
    assert encoder.dimension


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(InputError, match="no queries"):
        measure_running("anywhere", [])
    with pytest.raises(InputError, match="could not be run by itself"):
        measure_running("/nowhere/at/all", ["one"])
