"""Graphs in eight bits: weights by channel, activations measured as they come or beforehand on the user's texts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
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


def quantise_static(graph: Any, batches: Sequence[Batch], keep: Sequence[str] = ()) -> Any:
    """int8 weights by channel; activations on fixed scales, measured on some texts.

    A few channels of a transformer's activations lie far out, and one scale for all would spend its steps on them:
    they are divided by a factor that the weights behind them are multiplied with, and the mean error that rounding
    brings is taken off the biases (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438, equation 4; by NNCF).

    Args:
        graph: A float32 one, of onnx or OpenVINO; it may be changed.
        batches: The texts.
        keep: Names of nodes that stay as they are.

    Returns:
        The new graph, of the same kind.

    Raises:
        InputError: When NNCF is not installed or cannot do it.
    """
    nncf = import_nncf()
    try:
        with _quiet(), redirect_stdout(StringIO()):  # it draws progress of its own
            return nncf.quantize(
                graph, nncf.Dataset(list(batches)), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(batches),
                ignored_scope=nncf.IgnoredScope(names=list(keep), validate=False),
            )  # fmt: skip
    except Exception as error:  # of many kinds: it asserts what it expects of a graph
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"cannot be calibrated ({reason})", field="model",
                         remedy="Export it as float16, or for ONNX Runtime as int8.") from error  # fmt: skip


def fold_products_of_weights(graph: Any) -> None:
    """Work out an ONNX graph's products of two weights, in place, as OpenVINO does when it reads a graph.

    NNCF takes every product with a weight for one of activations and weights. Of latent attention the latents are
    weights, and so are their keys' and values'.
    """
    import onnx

    weights = {each.name: each for each in graph.initializer}
    for node in [each for each in graph.node if each.op_type == "MatMul" and weights.keys() >= set(each.input)]:
        left, right = (onnx.numpy_helper.to_array(weights[name]) for name in node.input)
        graph.initializer.append(onnx.numpy_helper.from_array(left @ right, node.output[0]))
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for name in weights.keys() - read:
        graph.initializer.remove(weights[name])


def products_of_activations(source: Path) -> list[str]:
    """The names of a float32 graph's products without weights: those of attention.

    They are a small part of the work, and OpenVINO 2026.4 goes wrong over them in eight bits with the rest in bf16: of
    all-MiniLM-L6-v2, whose heads have 32 dimensions, texts filled up to 32 tokens had cosines of 0.9 and less, those of
    11 other lengths did not (measured).
    """
    import onnx

    graph = onnx.load(str(source)).graph
    weights = {each.name for each in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "MatMul" and not weights & set(node.input)]


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


def import_nncf() -> Any:
    """NNCF, without the telemetry that it takes from OpenVINO's package for it where that can be imported.

    Raises:
        InputError: When it is not installed.
    """
    telemetry = "openvino_telemetry"
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == telemetry}
    sys.modules[telemetry] = None  # type: ignore[assignment]
    try:
        with _quiet():
            import nncf
    except ImportError as error:
        raise InputError("int8-static needs NNCF", field="precision",
                         remedy='Install it: pip install "cosmith[export]"') from error  # fmt: skip
    finally:
        sys.modules.update(before)
    return nncf


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the advice of ONNX Runtime and NNCF out of our output; they also set up the program's log if nobody has."""
    root: Any = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
