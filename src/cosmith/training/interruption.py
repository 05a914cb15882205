"""Ctrl-C and the termination signal, so that they never fall into the middle of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from cosmith.errors import CosmithError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(CosmithError):  # noqa: N818  (nothing went wrong)
    """The run was told to stop; the same call goes on from its checkpoint, if it has a folder."""


class Interruption:
    """Within its block the two signals raise KeyboardInterrupt, but not inside of :meth:`deferred`.

    There, a signal only sets ``requested``, and the caller stops when the block has ended. A second one raises all
    the same, for those who cannot wait, and sets ``torn``: what the block was changing is unusable. Outside of the
    main thread, where Python allows no signal handlers, signals do what they did before.
    """

    def __init__(self) -> None:
        self.requested = False
        self.torn = False
        self._deferring = False
        self._before: dict[signal.Signals, Any] = {}

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block finish before a signal takes effect; one within another ends with the outer one."""
        before, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = before

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._deferring and not self.requested:
            self.requested = True
        else:
            self.torn = self._deferring
            raise KeyboardInterrupt
