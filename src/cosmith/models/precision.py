"""In what numbers to compute: float32, or bf16 where the processor has it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from cosmith.errors import InputError, nearest

Precision = Literal["auto", "float32", "bf16"]

# oneDNN keeps the kernels of the last 1,024 shapes with the memory that they work in. The number of tokens differs from
# batch to batch, so each batch leaves its own: gigabytes over a training run (8.1 GB where 4.3 are in use, measured).
# It reads this when it computes for the first time.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 and Arm names of /proc/cpuinfo


@cache
def _cpu_has_bf16() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: take the safe form
        return False
    return any(
        _CPU_FLAGS & set(line.split()) for line in text.splitlines() if line.lower().startswith(("flags", "features"))
    )


def has_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products are fast there (on processors that emulate them they are far slower)."""
    if device.type == "cpu":
        return _cpu_has_bf16()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def resolve_precision(precision: Precision, device: torch.device) -> Literal["float32", "bf16"]:
    """``"auto"`` as what it means on this device.

    Raises:
        InputError: When it is none of the three.
    """
    if precision not in get_args(Precision):
        raise InputError(
            f"unknown precision {precision!r}", field="precision", remedy=nearest(str(precision), get_args(Precision))
        )
    if precision == "auto":
        return "bf16" if has_bf16(device) else "float32"
    return precision


def computing_in(precision: Precision, device: torch.device, *, remember: bool = True) -> AbstractContextManager[Any]:
    """The context in which a model runs in this precision.

    Args:
        precision: In what to compute.
        device: Where.
        remember: Whether weights that were cast inside the block are cast once only. All threads share that memory,
            casts with and without a graph too, so it is not for training.
    """
    if resolve_precision(precision, device) == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=remember)
    return nullcontext()


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Widen half-precision values to float32, in which sums and soft-maxes are taken; others stay as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
