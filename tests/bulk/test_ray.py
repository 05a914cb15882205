"""Bulk work on a local Ray cluster of two workers: what `local` makes, to the byte, whoever dies on the way."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from cosmith.bulk import Engine, ShardJob, run_shards
from cosmith.cli.app import app, flags_first
from cosmith.data import Collection, Source, TrainingRow
from cosmith.data.texts import TextTable
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.mining.hard_negatives import blocks
from cosmith.mining.synthesis import Budget, Endpoint, Passage, SynthesisSettings, shards, synthesise
from cosmith.models import tiny_cross_encoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.retrieval import Index, vectors
from cosmith.retrieval.streaming import write_vectors
from cosmith.retrieval.vectors import Encoding

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
RAY = Engine("ray", workers=2)
PROGRAM = Path(__file__).with_name("ray_program.py")


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray.init(address="local", num_cpus=2, object_store_memory=100_000_000, include_dashboard=False, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    ray.shutdown()


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


class Mortal:
    """An encoder that takes its process with it, once, if that is not the one of the test."""

    dimension, max_length = 6, 100

    def __init__(self, dead: Path) -> None:
        self.home, self.dead = os.getpid(), dead

    def encode(self, texts: list[str], **options: Any) -> np.ndarray:
        if os.getpid() != self.home and "text 20" in texts and not self.dead.exists():
            self.dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return np.stack([np.sin(np.arange(1, 7) * (1 + int(each.split()[1]))) for each in texts]).astype(np.float32)

    def fingerprint(self) -> str:
        return "mortal"


def test_a_worker_killed_while_encoding_costs_and_doubles_nothing(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(43)]
    table, numbers = TextTable.from_texts(texts)
    encoding = Encoding(Mortal(tmp_path / "dead"), table, numbers, "texts", rows=5)
    write_vectors(encoding, texts, tmp_path / "local")
    assert not (tmp_path / "dead").exists()
    found = write_vectors(encoding, texts, tmp_path / "ray", RAY)
    assert (tmp_path / "dead").exists()
    assert files(tmp_path / "ray") == files(tmp_path / "local")
    read = [parquet.read_table(file) for file in found.files]
    assert [each for table in read for each in table["_id"].to_pylist()] == texts
    whole = np.concatenate([np.stack(table["vector"].to_pylist()) for table in read])
    assert np.array_equal(whole.astype(np.float32), encoding.encoder.encode(texts))


def test_mining_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "SHARD_ROWS", 9)
    monkeypatch.setattr(blocks, "ROWS", 7)
    rows = [TrainingRow(f"query {n} apples", (f"answer {n} apples", f"more {n % 5}")) for n in range(25)]
    options: dict[str, Any] = {"negatives_per_row": 2, "candidates": "both", "ratio": None, "scores": True}

    def mined(name: str, engine: Engine) -> Any:
        return mine_hard_negatives(
            tiny_encoder("bert"), Source.from_rows("rows", rows), cross_encoder=tiny_cross_encoder("bert"),
            folder=tmp_path / name, engine=engine, **options,
        )  # fmt: skip

    local, spread = mined("local", Engine()), mined("ray", RAY)
    assert list(spread.source.rows()) == list(local.source.rows())
    assert spread.describe() == local.describe()
    assert files(tmp_path / "ray") == files(tmp_path / "local")
    assert sum(name.endswith(".npz") for name in files(tmp_path / "ray")) == 4
    with pytest.raises(InputError, match=r"\[folder\]"):
        mine_hard_negatives(tiny_encoder("bert"), Source.from_rows("rows", rows), engine=RAY)


def test_a_worker_killed_while_asking_costs_no_answer(
    language_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PASSAGES", 4)
    passages = [Passage(str(n), f"Chapter {n} describes turbines with {n * 7} blades.") for n in range(12)]

    def written(url: str, name: str, engine: Engine, budget: Budget | None = None) -> Any:
        endpoint = Endpoint(url, "stand-in", concurrency=2, first_wait=0.01)
        settings = SynthesisSettings(product="paraphrases", each=2)
        return synthesise(passages, endpoint, settings, cache=tmp_path / name, engine=engine, budget=budget)

    with language_model() as model:
        local = written(model.url, "local.sqlite", Engine())
        whole = Counter(model.answered)
    killed = []

    def kills(number: int, body: dict[str, Any]) -> None:
        if number == 9 and not killed:
            workers = [
                p for p in psutil.Process().children(recursive=True) if "ray::MapWorker" in " ".join(p.cmdline())
            ]
            killed.append(workers[0].pid)
            workers[0].kill()

    with language_model(kills) as model:
        spread = written(model.url, "ray.sqlite", RAY)
        assert killed
        asked = Counter(model.answered)
        again = written(model.url, "ray.sqlite", Engine())
        assert Counter(model.answered) == asked
    assert spread.rows == local.rows
    assert spread.rejected == local.rejected
    assert again.rows == local.rows
    assert again.usage.requests == 0
    assert set(asked) == set(whole)
    assert sum((asked - whole).values()) <= 2  # those under way when the worker died
    assert not (tmp_path / "ray.sqlite.shards").exists()


def test_all_workers_together_keep_to_the_budget(
    language_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PASSAGES", 30)
    passages = [Passage(str(n), f"Chapter {n} describes turbines with {n * 7} blades.") for n in range(60)]

    def written(url: str, engine: Engine, budget: Budget) -> Any:
        settings = SynthesisSettings(product="paraphrases")
        return synthesise(passages, Endpoint(url, "stand-in"), settings, cache=tmp_path / "answers.sqlite",
                          engine=engine, budget=budget)  # fmt: skip

    with language_model() as model:
        made = written(model.url, RAY, Budget(most_tokens=5000))
        rest = written(model.url, Engine(), Budget())
        assert len(model.asked) == 60
    assert made.stopped_by == "tokens"
    assert 0 < made.usage.input_tokens + made.usage.output_tokens <= 5000
    assert 0 < made.finished < 60
    assert (made.usage.requests + rest.usage.requests, rest.finished) == (60, 60)


def test_the_command_gives_the_bytes_of_the_local_one(tmp_path: Path) -> None:
    tiny_encoder("bert").save(tmp_path / "model")
    lines = [json.dumps({"_id": str(n), "text": f"red apples {n}"}) + "\n" for n in range(30)]
    (tmp_path / "texts.jsonl").write_text("".join(lines))
    encode = ["encode", tmp_path / "model", tmp_path / "texts.jsonl", "--output"]
    for name, engine in (("local", []), ("ray", ["--engine", "ray"])):
        said = [*encode, tmp_path / f"{name}.npy", *engine]
        done = CliRunner().invoke(app, flags_first([str(each) for each in said]))
        assert done.exit_code == 0, done.output
    for ending in (".npy", ".ids.jsonl", ".manifest.json"):
        assert (tmp_path / f"ray{ending}").read_bytes() == (tmp_path / f"local{ending}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 8


def test_a_stage_of_a_recipe_gives_what_it_gives_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "SHARD_ROWS", 9)
    tiny_encoder("bert").save(tmp_path / "base")
    texts = {str(n): f"answer {n} apples" for n in range(25)}
    Collection("own", texts, {"q": "apples 3"}, {"q": {"3": 1}}).write_beir(tmp_path / "own")

    def ran(name: str, **said: Any) -> Index:
        stages = {
            "own": {"kind": "collection", "path": str(tmp_path / "own")},
            "index": {"kind": "index", "model": "base", "documents": "own.test", "before": None, **said},
        }
        recipe = {"name": "t", "base": str(tmp_path / "base"), "precision": "float32", "stages": stages}
        results = run_recipe(load_recipe(parse_document(json.dumps(recipe))), tmp_path / name)
        return Index.load(Path(results["index"]["folder"]))

    local, spread = ran("local"), ran("ray", engine="ray", workers=2)
    assert np.allclose(spread.vectors, local.vectors, atol=1e-6)
    assert len(spread) == 25


def test_what_a_shard_raises_is_told_as_it_is(tmp_path: Path) -> None:
    def refuses(number: int, path: Path) -> None:
        raise InputError("is of no use", field="texts", remedy="Give others.")

    with pytest.raises(InputError, match=r"\[texts\]: is of no use. Give others."):
        run_shards(ShardJob("Refusing", tmp_path, 3, ".txt", refuses), RAY)


def test_what_a_killed_call_made_on_ray_the_local_engine_finishes(tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    program = subprocess.Popen([sys.executable, PROGRAM, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("0*.parquet"))) < 3:
        assert time.monotonic() < deadline
        assert program.poll() is None
        time.sleep(0.02)
    program.kill()
    program.wait()
    time.sleep(1.0)  # its workers end with it
    before = {file: file.stat().st_mtime_ns for file in folder.glob("0*.parquet")}
    assert len(before) < 12
    known = runpy.run_path(str(PROGRAM))
    write_vectors(known["encoding"](), known["TEXTS"], folder)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    write_vectors(known["encoding"](), known["TEXTS"], tmp_path / "whole")
    left = {name: data for name, data in files(folder).items() if name[0] != "."}
    assert left == files(tmp_path / "whole")
