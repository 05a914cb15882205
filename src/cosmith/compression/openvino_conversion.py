"""An ONNX graph as one of OpenVINO's, made by a process of its own.

Where OpenVINO's reader of ONNX has been at work in a process, training there ended with a segmentation fault (OpenVINO
2026.4 beside torch 2.13); its reader of its own graphs does no such harm.

    python -m cosmith.compression.openvino_conversion GRAPH.onnx GRAPH.xml [--float16]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cosmith.errors import InputError
from cosmith.models.runtimes.openvino_session import import_openvino

_HALVED = "--float16"


def convert(graph: Path, into: Path, *, float16: bool) -> None:
    """Write a graph as ``into`` (``.xml``) with its weights beside it (``.bin``).

    Args:
        graph: The ONNX file.
        into: Where to; its folder exists.
        float16: Keep the weights in float16.

    Raises:
        InputError: When OpenVINO cannot read the graph.
    """
    command = [sys.executable, "-m", __name__, str(graph), str(into), *([_HALVED] if float16 else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next(iter(reversed(done.stderr.strip().splitlines())), f"it ended with {done.returncode}")
        raise InputError(f"OpenVINO cannot take the graph ({reason})", path=graph, field="runtimes",
                         remedy="Leave openvino out.")  # fmt: skip


def main() -> None:
    """Convert here."""
    graph, into, *halved = sys.argv[1:]
    openvino = import_openvino()
    openvino.save_model(openvino.Core().read_model(graph), into, compress_to_fp16=halved == [_HALVED])


if __name__ == "__main__":
    main()
