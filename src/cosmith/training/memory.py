"""How much memory there is to work with."""

from __future__ import annotations

from pathlib import Path

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
