"""One process a run folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosmith.atomic import explained, make_folder
from cosmith.errors import InputError
from cosmith.recipes.run_folder import LOCK


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process.

    The operating system keeps the lock, not the file: however a process ends, its lock ends with it, so what a dead
    one left behind is taken over. The file only says who holds it.

    Raises:
        InputError: Another process holds the folder.
        StorageError: The folder cannot be made, or may not be written.
    """
    make_folder(folder)
    path = folder / LOCK
    with explained(folder):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise InputError(
                f"another process ({holder}) is working on this run", path=folder,
                remedy="Wait for it or stop it, or choose another place with --folder.",
            ) from error  # fmt: skip
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
