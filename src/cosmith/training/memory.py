"""How much memory there is to work with, and giving back what is not in use."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch

# Containers are given less than the machine has, and are killed when they take more (version 2 and version 1).
_CONTAINER_FILES = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_memory(device: torch.device) -> int:
    """Bytes that can still be taken: of the device, or of the machine and the container around this process."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    for limit, used in _CONTAINER_FILES:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(free, 0)


def return_free_memory() -> None:
    """Give the memory that has been freed back to the operating system, where the C library is glibc.

    It keeps a heap for each thread, and what one thread freed there the next may not find: training between two
    evaluations took 1.2 GB more than before them, measured. The memory has to be taken anew, so this is not for
    every step.
    """
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
