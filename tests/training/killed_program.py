"""A training run that kills itself with SIGKILL: in the middle of a step, or of writing a checkpoint.

Run by test_resume.py as ``python killed_program.py FOLDER step|checkpoint CALL``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosmith.data import Source, TrainingRow
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, checkpoint, train

ROWS = [TrainingRow(f"query {number}", (f"answer {number * number}",)) for number in range(40)]
SOURCES = [Source.from_rows("first", ROWS), Source.from_rows("second", [*ROWS[10:25]])]
SETTINGS = TrainingSettings(
    steps=16, batch_size=8, learning_rate=1e-3, evaluate_every=5, checkpoint_every_steps=3, micro_batch_tokens=40,
    graph_memory=200_000, precision="float32",
)  # fmt: skip


def encoder() -> Encoder:
    """With dropout, so that its random numbers have to be the same, too."""
    return tiny_encoder("bert", dropout=0.2)


def dev(tuned: Encoder) -> float:
    """Some score that training changes."""
    first, second = tuned.encode(["query 3", "answer 9"])
    return float(first @ second)


def killing(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    """The function, but its call number ``call`` ends the process."""
    calls = iter(range(1, call))

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        if next(calls, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)

    return wrapped


if __name__ == "__main__":
    folder, where, call = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if where == "step":
        Encoder.embed = killing(Encoder.embed, call)  # type: ignore[method-assign]
    else:
        checkpoint.write_json = killing(checkpoint.write_json, call)  # type: ignore[attr-defined]
    train(encoder(), SOURCES, SETTINGS, folder=Path(folder), dev=dev)
