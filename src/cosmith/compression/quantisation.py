"""Graphs in eight bits: weights by channel, activations measured as they come or beforehand on the user's texts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError

Batch = dict[str, npt.NDArray[np.int64]]
"""The inputs of a graph by name."""

# Products with weights and tables of embeddings; products of activations (attention) stay as they are.
_OPERATIONS = ["MatMul", "Gather"]
_WEIGHTS_ONLY = {"MatMulConstBOnly": True}


def quantise_dynamic(source: Path, target: Path) -> None:
    """int8 weights, signed and scaled by output channel; activations are scaled by what each batch holds.

    Args:
        source: A float32 graph.
        target: Where the new one goes.
    """
    with _quiet():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            str(source), str(target), per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=_OPERATIONS,
            extra_options=_WEIGHTS_ONLY,
        )  # fmt: skip


def quantise_static(source: Path, target: Path, batches: Iterable[Batch], keep: Sequence[str]) -> None:
    """int8 weights as of :func:`quantise_dynamic`; activations scaled by the least and the most that some texts gave.

    Args:
        source: A float32 graph.
        target: Where the new one goes.
        batches: The texts.
        keep: Names of products that stay in float32.
    """
    with _quiet():
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self.batches = iter(batches)

            def get_next(self) -> Batch | None:
                return next(self.batches, None)

        quantize_static(
            str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=_OPERATIONS,
            nodes_to_exclude=list(keep), extra_options=_WEIGHTS_ONLY,
        )  # fmt: skip


def noisiest_products(source: Path, batches: Iterable[Batch]) -> list[str]:
    """The products with weights, those first whose input a fixed scale of 256 steps serves worst.

    With the range r of all values, rounding adds noise of variance (r / 255)² / 12; what counts is its share of the
    values' mean square. A few values that lie far out make it large: so it is behind the activation function of a
    transformer's feed-forward layers.

    Args:
        source: A float32 graph.
        batches: Texts to measure it on.

    Returns:
        Names of nodes.
    """
    import onnx
    import onnxruntime

    model = onnx.load(str(source))
    weights = {each.name for each in model.graph.initializer}
    read = {
        node.name: node.input[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights and node.input[0] not in weights
    }
    inputs = sorted(set(read.values()))
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    low, high, squares, count = (np.zeros(len(inputs)) for _ in range(4))
    for batch in batches:
        for number, values in enumerate(session.run(inputs, batch)):
            low[number], high[number] = min(low[number], values.min()), max(high[number], values.max())
            squares[number] += np.square(values, dtype=np.float64).sum()
            count[number] += values.size
    noise = np.square((high - low) / 255) / 12 / np.maximum(squares / np.maximum(count, 1), 1e-30)
    share = dict(zip(inputs, noise.tolist(), strict=True))
    return sorted(read, key=lambda name: -share[read[name]])


def require_quantiser() -> None:
    """Refuse where the packages that write graphs are not installed.

    Raises:
        InputError: In this case.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise InputError("exporting needs onnx and ONNX Runtime", field="runtime",
                         remedy='Install them: pip install "cosmith[export]"') from error  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice out of our output; it also sets up the program's log if nobody has."""
    root: Any = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
