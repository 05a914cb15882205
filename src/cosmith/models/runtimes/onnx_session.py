"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.models.runtimes.session import Session, Vectors

_CPU = "CPUExecutionProvider"


def open_onnx(path: Path, providers: Sequence[str] = ()) -> Session:
    """Open a graph.

    One session serves all threads. It has no threads of its own: each call computes on the core of its caller, so that
    as many micro-batches are worked on at once as there are callers, and the weights are in memory once.

    Args:
        path: The graph.
        providers: ONNX Runtime's execution providers in order of preference, such as ``TensorrtExecutionProvider``;
            none: the processor.

    Raises:
        InputError: When ONNX Runtime is not installed, lacks a provider, or cannot read the graph.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError("ONNX Runtime is not installed", field="runtime",
                         remedy='Install it: pip install "cosmith[onnx]"') from error  # fmt: skip
    there = onnxruntime.get_available_providers()
    for name in providers:
        if name not in there:
            raise InputError(
                f"this ONNX Runtime has no {name}, only {', '.join(there)}", field="providers",
                remedy="Install the build that has it, such as onnxruntime-gpu.",
            )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[*providers, _CPU])
    except Exception as error:  # a dozen kinds, none of them public
        raise InputError(f"cannot be read by ONNX Runtime ({error})", path=path,
                         remedy="Export the model anew.") from error  # fmt: skip

    def run(ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> Vectors:
        vectors: Vectors = session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    return run
