"""Evaluating: Cosmith against the package `mteb` on the same data sets with the same model in float32.

python -m benchmarks.evaluate_throughput --data ../shared/data --sets stsb banking77 --rounds 3

`mteb` is no dependency of Cosmith; install it beside it. Both read the data before the clock begins.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.mteb_parity import METRICS, SETS, mteb_task

MODEL = "all-MiniLM-L6-v2"
CONTEST = interleaved.Contest(
    module="benchmarks.evaluate_throughput",
    contestants=("cosmith", "mteb"),
    figures={"CPU seconds": False, "of which encoding": False, "seconds": False, "peak MB": False},
)


class Clock:
    """Adds up the processor time of calls."""

    def __init__(self) -> None:
        self.spent = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = _spent()
        try:
            yield
        finally:
            self.spent += _spent() - began

    def of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            with self.running():
                return call(*arguments, **named)

        return timed


def _spent() -> float:
    """Processor seconds of this process and its children that have ended."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in every)


def work(contestant: str, data: Path, sets: Sequence[str]) -> dict[str, Any]:
    """Evaluate all sets once, the data being read; the main metric of each, and what it took."""
    from cosmith.evaluation.task_files import read_task
    from cosmith.evaluation.tasks import SubsetsTask

    read = [read_task(data / name).task for name in sets]
    tasks = [part for task in read for part in (task.parts if isinstance(task, SubsetsTask) else (task,))]
    encoding, whole = Clock(), Clock()
    evaluate, vectors = (by_cosmith if contestant == "cosmith" else by_mteb)(encoding, tasks)
    scores, times = {}, {}
    began = time.perf_counter()
    for number, task in enumerate(tasks):
        before = (whole.spent, encoding.spent)
        with whole.running():
            scores[task.name] = evaluate(number)
        times[task.name] = [whole.spent - before[0], encoding.spent - before[1]]
    return {
        "CPU seconds": whole.spent,
        "of which encoding": encoding.spent,
        "seconds": time.perf_counter() - began,
        "peak MB": interleaved.peak_megabytes(),
        "scores": scores,
        "times": times,
        "sample": vectors([f"a short text of number {number}" for number in range(8)]).tolist(),
    }


Evaluate = Callable[[int], float]
Vectors = Callable[[Sequence[str]], np.ndarray]


def by_cosmith(encoding: Clock, tasks: Sequence[Any]) -> tuple[Evaluate, Vectors]:
    """Cosmith's way to score the n-th task, without intervals, which mteb has not; and its vectors."""
    from cosmith.models import Encoder

    encoder = Encoder.load(MODEL, precision="float32")
    encoder.encode(["to warm up"])
    plain = encoder.encode
    encoder.encode = encoding.of(plain)  # type: ignore[method-assign]
    return lambda number: tasks[number].evaluate(encoder, resamples=0).value, plain


def by_mteb(encoding: Clock, tasks: Sequence[Any]) -> tuple[Evaluate, Vectors]:
    """The same by mteb, with its own wrapper of sentence-transformers at the batch size it takes by default."""
    from mteb.models import SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    from cosmith.models import find_model

    model = SentenceTransformer(str(find_model(MODEL)), device="cpu")
    model.encode(["to warm up"])
    wrapped = SentenceTransformerEncoderWrapper(model)
    wrapped.encode = encoding.of(wrapped.encode)
    theirs = [mteb_task(task) for task in tasks]

    def evaluate(number: int) -> float:
        found = theirs[number].evaluate(wrapped, "test", encode_kwargs={"batch_size": 32, "show_progress_bar": False})
        return float(found["default"][METRICS[tasks[number].kind][tasks[number].main]])

    return evaluate, lambda texts: np.asarray(model.encode(list(texts)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data sets")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(given.worker, given.data, given.sets)))
        return
    arguments = ["--data", str(given.data), "--sets", *given.sets]
    results = interleaved.run(CONTEST, arguments, given.rounds, given.threads)
    shown = ["--data", given.data.name, "--sets", *given.sets, f"--rounds {given.rounds}", f"--threads {given.threads}"]
    body = interleaved.table(CONTEST, results) + "\n\n" + by_task(results)
    interleaved.write_up("Evaluating", CONTEST.module, shown, notes(results), body, given.output)


def notes(results: Sequence[Mapping[str, Any]]) -> str:
    """What was compared, how near the vectors are, and what Cosmith takes beside encoding."""
    import mteb

    ours, theirs = (np.array(results[0][name]["sample"]) for name in CONTEST.contestants)
    apart = np.abs(ours - theirs).max()
    over = [each["cosmith"]["CPU seconds"] / each["cosmith"]["of which encoding"] - 1 for each in results]
    return (
        f"{MODEL} in float32 by both, mteb {mteb.__version__} over sentence-transformers at its batch size of 32, "
        f"vectors of a sample at most {apart:.0e} apart; the data read before; no intervals, which mteb has not. Both "
        f"report all their metrics. Cosmith takes {statistics.median(over):.1%} ({min(over):.1%} to {max(over):.1%}) "
        "on top of the encoding itself."
    )


def by_task(results: Sequence[Mapping[str, Any]]) -> str:
    """Each task's score and processor time by both, medians over the rounds."""
    lines = ["| task | score: Cosmith | mteb | CPU s: Cosmith (encoding) | mteb (encoding) |", "|---|---|---|---|---|"]
    for name in results[0]["cosmith"]["scores"]:
        scores = [f"{results[0][contestant]['scores'][name]:.4f}" for contestant in CONTEST.contestants]
        times = [
            [statistics.median(each[contestant]["times"][name][part] for each in results) for part in (0, 1)]
            for contestant in CONTEST.contestants
        ]
        shown = [f"{whole:.1f} ({encoding:.1f})" for whole, encoding in times]
        lines.append(f"| {name} | {' | '.join([*scores, *shown])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
