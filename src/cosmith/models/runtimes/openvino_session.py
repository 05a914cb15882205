"""OpenVINO, with its telemetry off."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.models.runtimes.session import Session, Vectors

_STEPS = ((32, 4), (64, 8))
_STEP = 16
"""Texts of up to 32 tokens are filled up to a multiple of 4, those of up to 64 of 8, longer ones of 16."""


def import_openvino() -> Any:
    """OpenVINO without its telemetry, which would start a thread that reports to a server when it is imported.

    It goes without where its telemetry package cannot be imported, so that is what it finds.

    Raises:
        InputError: When it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise InputError("OpenVINO is not installed", field="runtime",
                         remedy='Install it: pip install "cosmith[openvino]"') from error  # fmt: skip
    return openvino


def filled_up(length: int, longest: int) -> int:
    """To how many tokens texts of a length are filled up.

    A kernel is compiled for every new length: with few lengths the first texts do not wait for it.

    Args:
        length: The tokens of the longest text of a batch.
        longest: The most that the model reads.
    """
    step = next((each for most, each in _STEPS if length <= most), _STEP)
    return max(length, min(-(-length // step) * step, longest))


def open_openvino(path: Path, threads: int, *, longest: int, exact: bool) -> Session:
    """Open a graph.

    Args:
        path: Its ``.xml`` file.
        threads: How many threads will call it at once; each gets one core.
        longest: The most tokens that the model reads.
        exact: Compute in float32; otherwise in what OpenVINO holds best for this processor, bf16 where it has it.

    Raises:
        InputError: When OpenVINO is not installed or cannot read the graph.
    """
    openvino = import_openvino()
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads, "ENABLE_CPU_PINNING": False}
    if exact:
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        raise InputError(f"cannot be read by OpenVINO ({reason})", path=path,
                         remedy="Export the model anew.") from error  # fmt: skip
    of_thread = threading.local()

    def run(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Vectors:
        if not hasattr(of_thread, "request"):
            of_thread.request = compiled.create_infer_request()
        more = ((0, 0), (0, filled_up(ids.shape[1], longest) - ids.shape[1]))
        found = of_thread.request.infer({"input_ids": np.pad(ids, more), "attention_mask": np.pad(mask, more)})
        vectors: Vectors = np.array(found["sentence_embedding"], dtype=np.float32)
        return vectors

    return run
