"""Run contestants in turn, each in a process of its own, and print ratios with their spread.

A shared machine changes its speed from minute to minute, so absolute figures mislead. Contestants take turns
(A B C, A B C, …); every ratio is taken within one round, and its median, lowest and highest are shown.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

Figures = Mapping[str, float]

THIS_PYTHON = sys.executable
STARTED = "BENCHMARK_STARTED"
"""The environment variable that tells a worker at what time its process was started."""


@dataclass(frozen=True)
class Contest:
    """What a benchmark does.

    Attributes:
        module: The module to start as ``python -m module --worker CONTESTANT ...``; its last line of output is a
            JSON object of figures.
        contestants: Their names; the first is the one whose ratios to the others are shown.
        figures: Figure → True when more is better (a ratio is then ours / theirs), False when less is better.
        pythons: Contestant → the Python executable of its environment, where it is not this one.
    """

    module: str
    contestants: Sequence[str]
    figures: Mapping[str, bool]
    pythons: Mapping[str, str] = field(default_factory=dict)


def peak_megabytes() -> float:
    """The most memory that this process has held at once.

    Not ``ru_maxrss``: that of a process begins with what its parent held when it was started.
    """
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.split("VmHWM:")[1].split()[0]) / 1024


def run(contest: Contest, arguments: Sequence[str], rounds: int, threads: int) -> list[dict[str, Figures]]:
    """Let every contestant work once a round; returns the figures by round and contestant."""
    environment = {
        **os.environ,
        **{name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")},
        "TOKENIZERS_PARALLELISM": "false" if threads == 1 else "true",
        "HF_HUB_OFFLINE": "1",
    }
    results: list[dict[str, Figures]] = []
    for number in range(rounds):
        results.append({})
        for name in contest.contestants:
            python = contest.pythons.get(name, THIS_PYTHON)
            command = [python, "-m", contest.module, "--worker", name, *arguments]
            timed = environment | {STARTED: repr(time.time())}
            done = subprocess.run(command, env=timed, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stderr[-4000:]}")
            results[-1][name] = json.loads(done.stdout.strip().splitlines()[-1])
            shown = ", ".join(f"{key} {results[-1][name][key]:,.4g}" for key in contest.figures or results[-1][name])
            print(f"round {number + 1}/{rounds}  {name:28s} {shown}", flush=True)
    return results


def table(contest: Contest, results: Sequence[Mapping[str, Figures]]) -> str:
    """The medians of all contestants, and the first one's ratio to each, as Markdown."""
    return "\n".join([*medians(contest, results), *ratios(contest, results), "", RATIOS])


RATIOS = "Ratios are taken round by round: median (lowest to highest)."


def medians(contest: Contest, results: Sequence[Mapping[str, Figures]]) -> list[str]:
    """The lines of a Markdown table with the medians of all contestants."""
    lines = ["| | " + " | ".join(contest.figures) + " |", "|---" * (len(contest.figures) + 1) + "|"]
    for name in contest.contestants:
        cells = [f"{statistics.median(r[name][key] for r in results):,.4g}" for key in contest.figures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def ratios(contest: Contest, results: Sequence[Mapping[str, Figures]]) -> list[str]:
    """The lines of a Markdown table with the first contestant's ratio to each other, without the header."""
    first, lines = contest.contestants[0], []
    for name in contest.contestants[1:]:
        cells = []
        for key, more_is_better in contest.figures.items():
            found = sorted(
                r[first][key] / r[name][key] if more_is_better else r[name][key] / r[first][key] for r in results
            )
            cells.append(f"**{statistics.median(found):.2f}×** ({found[0]:.2f} to {found[-1]:.2f})")
        lines.append(f"| {first} better than {name} by | " + " | ".join(cells) + " |")
    return lines


def machine() -> str:
    """The processor, in words."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def write_up(title: str, module: str, arguments: Sequence[str], notes: str, body: str, output: Path | None) -> None:
    """Print the result, and write it with machine, date, versions and command."""
    libraries = ("torch", "transformers", "sentence-transformers")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in libraries)
    text = (
        f"# {title}\n\n{notes}\n\n{body}\n\nMachine: {machine()}; {versions}.\n"
        f"Date: {datetime.now(UTC):%Y-%m-%d}. Command: `python -m {module} {' '.join(arguments)}`.\n"
    )
    print("\n" + text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
