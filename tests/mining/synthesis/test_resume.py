"""A run that is killed goes on where it was: nothing is asked twice, nothing is lost; and two may run at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from cosmith.mining.synthesis import AnswerCache

PROGRAM = Path(__file__).with_name("synthesis_program.py")


def start(model: Any, cache: Path, output: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, PROGRAM, model.url, cache, output], stderr=subprocess.PIPE)


def finish(program: subprocess.Popen[bytes]) -> None:
    _, told = program.communicate(timeout=120)
    assert program.returncode == 0, told.decode()


def test_a_killed_run_goes_on_and_asks_nothing_twice(language_model: Any, tmp_path: Path) -> None:
    with language_model() as model:
        finish(start(model, tmp_path / "whole.sqlite", tmp_path / "whole.jsonl"))
        whole = Counter(model.answered)
        assert sum(whole.values()) == 60
    cache = tmp_path / "answers.sqlite"

    def shuts(number: int, body: dict[str, Any]) -> None:
        if number == 25:
            model.gate.clear()  # this one and all later ones are never answered before the kill

    with language_model(shuts) as model:
        program = start(model, cache, tmp_path / "rows.jsonl")
        still, deadline = 0, time.monotonic() + 60
        while still < 20:  # until the three that may be under way have stood at the gate for a while
            still = still + 1 if model.waiting == 3 and not model.gate.is_set() else 0
            assert time.monotonic() < deadline
            assert program.poll() is None
            time.sleep(0.01)
        program.send_signal(signal.SIGKILL)
        program.wait()
        before = list(model.answered)
        model.fault = lambda number, body: None
    with AnswerCache(cache) as answers:
        assert len(answers) == len(before) >= 22
    assert not (tmp_path / "rows.jsonl").exists()
    with language_model() as model:
        finish(start(model, cache, tmp_path / "rows.jsonl"))
        after = Counter(model.answered)
    assert Counter(before) + after == whole
    assert (tmp_path / "rows.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_two_runs_share_a_cache(language_model: Any, tmp_path: Path) -> None:
    with language_model(delay=0.01) as model:
        both = [start(model, tmp_path / "answers.sqlite", tmp_path / f"{number}.jsonl") for number in range(2)]
        for each in both:
            finish(each)
    assert (tmp_path / "0.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    with AnswerCache(tmp_path / "answers.sqlite") as answers:
        assert len(answers) == 60
