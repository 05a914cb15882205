"""Progress of anything that takes more than two seconds.

One process-wide reporter, chosen once by the command line: a live bar on a terminal, plain log lines where there
is none, JSON lines for machines, or silence. Library code only ever says ``with track(...) as bar: bar.advance()``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Style = Literal["auto", "live", "plain", "json", "silent"]


class Bar(Protocol):
    """A step in progress."""

    def advance(self, amount: int = 1, status: str = "") -> None:
        """Count ``amount`` more units as done; ``status`` is shown behind them."""

    def skip(self, amount: int) -> None:
        """Count units as done that were done before, so that they say nothing of the rate."""


class _Silent:
    def advance(self, amount: int = 1, status: str = "") -> None:
        pass

    def skip(self, amount: int) -> None:
        pass


class _Lines:
    """A line at most every ``interval`` seconds; the first only after two seconds of work."""

    interval = 10.0

    def __init__(self, what: str, total: int | None, unit: str, as_json: bool) -> None:
        self.what, self.total, self.unit, self.as_json = what, total, unit, as_json
        self.done, self.skipped, self.status = 0, 0, ""
        self.started = time.monotonic()
        self.due = self.started + 2.0
        self.said: int | None = None  # what was done when a line was last written

    def advance(self, amount: int = 1, status: str = "") -> None:
        self.done += amount
        self.status = status or self.status
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self.interval
            self.say()

    def skip(self, amount: int) -> None:
        self.done += amount
        self.skipped += amount

    def say(self) -> None:
        self.said = self.done
        seconds = max(time.monotonic() - self.started, 1e-9)
        rate = max(self.done - self.skipped, 0) / seconds
        if self.as_json:
            line = json.dumps(
                {"event": "progress", "what": self.what, "done": self.done, "total": self.total,
                 "unit": self.unit, "per_second": round(rate, 2), "status": self.status}
            )  # fmt: skip
        else:
            line = f"{self.what}: {self.done:,}"
            line += "" if self.total is None else f"/{self.total:,}"
            line += f" {self.unit}, {rate:,.1f}/s"
            if self.total is not None:
                line += f", {clock((self.total - self.done) / rate if rate else float('inf'))} left"
            line += f"  {self.status}" if self.status else ""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def finish(self) -> None:
        """Say how it ended, where the last line has not said it yet."""
        if self.said not in (None, self.done):
            self.say()


_style: Style = "silent"


def set_style(style: Style) -> None:
    """Choose how progress is shown from now on. ``auto``: live on a terminal, plain lines elsewhere."""
    global _style
    if style == "auto":
        style = "live" if sys.stderr.isatty() else "plain"
    _style = style


@contextmanager
def track(what: str, total: int | None, unit: str = "") -> Iterator[Bar]:
    """Show the progress of a block.

    Args:
        what: What is being done, e.g. ``"Encoding documents"``.
        total: How many units there are in all; None: that is not known.
        unit: The plural name of a unit, e.g. ``"texts"``.
    """
    whole = _whole.get()
    if whole is not None:
        whole.total += total or 0
        yield whole
    elif _style == "silent" or (total is not None and total <= 0):
        yield _Silent()
    elif _style == "live":
        with _live(what, total, unit) as bar:
            yield bar
    else:
        lines = _Lines(what, total, unit, as_json=_style == "json")
        yield lines
        lines.finish()


@contextmanager
def counted_by(bar: Bar, amount: int) -> Iterator[None]:
    """Have what is tracked within the block advance ``bar``, by ``amount`` of its units in all, and show nothing
    else."""
    part = _Part(bar, amount)
    token = _whole.set(part)
    try:
        yield
    finally:
        _whole.reset(token)
    bar.advance(amount - part.told)


def untold() -> AbstractContextManager[None]:
    """Have nothing shown of what is tracked within the block: that is part of something whose progress is shown."""
    return counted_by(_Silent(), 0)


class _Part:
    """Progress that is a part of another's: ``amount`` units of ``bar`` when ``total`` of its own are done."""

    def __init__(self, bar: Bar, amount: int) -> None:
        self.bar, self.amount = bar, amount
        self.total = self.done = self.told = 0

    def advance(self, amount: int = 1, status: str = "") -> None:
        self.done = min(self.done + amount, self.total)
        now = self.amount * self.done // self.total if self.total else 0
        self.bar.advance(now - self.told, status)
        self.told = now

    def skip(self, amount: int) -> None:
        self.advance(amount)


_whole: ContextVar[_Part | None] = ContextVar("whole", default=None)


@contextmanager
def _live(what: str, total: int | None, unit: str) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f}/s" if task.speed else "", style="cyan")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), Rate(),
               TimeRemainingColumn(), TextColumn("{task.fields[status]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, status="")

        class Live:
            def advance(self, amount: int = 1, status: str = "") -> None:
                progress.update(task, advance=amount)
                if status:
                    progress.update(task, status=status)

            def skip(self, amount: int) -> None:
                progress.reset(task, completed=amount, total=total)

        yield Live()


def clock(seconds: float) -> str:
    """Seconds as ``45 s``, ``3:05`` or ``2:03:05``."""
    if seconds != seconds or seconds == float("inf"):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"
