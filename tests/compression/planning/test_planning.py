"""A plan of a small model: every form encodes once, what is recommended works, what cannot be is refused at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.compression import Limits, Plan, plan
from cosmith.data import Collection, StsPairs
from cosmith.errors import InputError
from cosmith.evaluation import sweep_compressed, task_of
from cosmith.evaluation.tasks import EvaluationTask
from cosmith.models import Encoder, initialise_static, load_encoder, tiny_encoder
from cosmith.retrieval.compressed import CompressedVectors

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

WORDS = [
    f"{first}{last}" for first in ("ba", "de", "gi", "ko", "lu", "mo") for last in ("rk", "st", "nd", "mp", "lt", "sh")
]
FORMS = "int8; binary; binary, rescored x4 by int8"


@pytest.fixture(scope="module")
def task() -> EvaluationTask:
    documents = {f"d{n}": f"{word} {WORDS[n - 1]} {WORDS[n // 2]}" for n, word in enumerate(WORDS)}
    queries = {f"q{n}": f"what is {word}" for n, word in enumerate(WORDS)}
    return task_of("task", Collection("task", documents, queries, {f"q{n}": {f"d{n}": 1} for n in range(len(WORDS))}))


@pytest.fixture(scope="module")
def pairs() -> EvaluationTask:
    first = [f"{word} and {WORDS[n - 1]}" for n, word in enumerate(WORDS)]
    second = [f"{word} or {WORDS[n // 2]}" for n, word in enumerate(WORDS)]
    return task_of("pairs", StsPairs(first, second, np.arange(len(WORDS)) / 9))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder("bert", projection=64).save(tmp_path_factory.mktemp("tiny") / "model")


class Counting:
    """An encoder that says what it was asked for."""

    def __init__(self, encoder: Any, calls: list[tuple[str, int]]) -> None:
        self.encoder, self.calls = encoder, calls
        self.name, self.dimension, self.max_length = encoder.name, encoder.dimension, encoder.max_length
        self.runtime = getattr(encoder, "runtime", "torch")

    def fingerprint(self) -> str:
        return str(self.encoder.fingerprint())

    def encode(self, texts: Sequence[str], **said: Any) -> np.ndarray:
        self.calls.append((self.runtime, len(texts)))
        return np.asarray(self.encoder.encode(texts, **said))


@pytest.fixture(scope="module")
def made(
    model: Path, task: EvaluationTask, pairs: EvaluationTask, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Plan, Path, list[tuple[str, int]]]:
    from cosmith.evaluation.sweeping import remembered

    calls: list[tuple[str, int]] = []
    folder = tmp_path_factory.mktemp("planned") / "model"

    def remembering(encoder: Any) -> Any:
        return remembered(Counting(encoder, calls))

    found = plan(
        model, [task, pairs], limits=Limits(bytes=64, keep=0.1), corpus_size=3_000, forms=FORMS,
        runtimes="torch float32, onnx float32, onnx int8", folder=folder, name="mine", remembering=remembering,
        resamples=500,
    )  # fmt: skip
    return found, folder, calls


def test_every_pair_is_scored_and_each_text_is_encoded_once(made: Any, task: EvaluationTask) -> None:
    found, _, calls = made
    assert {(str(each.model), each.form) for each in found.candidates} == {
        (model, form) for model in ("torch float32", "onnx float32", "onnx int8") for form in FORMS.split("; ")
    }
    # Documents, queries and both sides of the pairs, for each model that gives vectors of its own.
    assert sum(texts for runtime, texts in calls if runtime == "onnx") == 4 * len(WORDS)
    assert sum(texts for runtime, texts in calls if runtime == "torch") == 4 * len(WORDS)
    assert any(note.startswith("onnx float32: vectors as of torch float32") for note in found.notes)
    assert found.full.form == "float32"
    assert found.full not in found.candidates


def test_the_same_vectors_are_scored_once(model: Path, task: EvaluationTask, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmith.compression.planning import planning

    drawn: list[tuple[Any, ...]] = []
    interval = planning.quality_interval

    def counted(scores: Any, *said: Any, **more: Any) -> Any:
        drawn.append(tuple(scores))
        return interval(scores, *said, **more)

    monkeypatch.setattr(planning, "quality_interval", counted)
    found = plan(
        model, [task], limits=Limits(keep=0.1), forms="int8; float16", runtimes="onnx float32, onnx int8", resamples=50
    )
    judged = {each.name: each for each in found.candidates}
    assert set(judged) == {f"{ran}; {form}" for ran in ("onnx float32", "onnx int8") for form in ("int8", "float16")}
    # The full model's three forms of vectors, which are those of onnx float32, and those of onnx int8.
    assert len(drawn) == 6
    encoder = Encoder.load(model, precision="float32")
    of_full = {each.name: each for each in sweep_compressed(encoder, task, ["int8", "float16"], resamples=0).forms}
    for form in ("int8", "float16"):
        exact = judged[f"onnx float32; {form}"]
        assert exact.quality == of_full[form].scores.value
        assert exact.running is not found.full.running
        assert exact.interval == interval(exact.scores, [task.kind], resamples=50)
    assert found.full.name == "torch float32; float32"


def test_the_figures_are_those_of_the_sweep(
    made: Any, model: Path, task: EvaluationTask, pairs: EvaluationTask
) -> None:
    found, _, _ = made
    encoder = Encoder.load(model, precision="float32")
    searched = sweep_compressed(encoder, task, FORMS.split("; "), resamples=0)
    paired = sweep_compressed(encoder, pairs, ["binary", "int8"], resamples=0)
    of_pairs = {each.name: each.scores.value for each in paired.forms}
    for row in searched.forms[1:]:
        (mine,) = (each for each in found.candidates if str(each.model) == "torch float32" and each.form == row.name)
        # The kinds count alike; pairs are not searched, so that a form that rescores stands for its finer codes.
        of_pair = of_pairs["binary" if row.name == "binary" else "int8"]
        assert mine.quality == pytest.approx((row.scores.value + of_pair) / 2)
        assert mine.change == pytest.approx(mine.quality - found.full.quality)
        assert row.cost is not None
        assert (mine.bytes, mine.finer_bytes, mine.recall) == (row.bytes, row.cost.finer_bytes, row.cost.recall)
        assert mine.memory == mine.running.process + 3_000 * mine.bytes
        assert mine.slow_latency >= mine.latency > 0


def test_what_is_recommended_is_ready(made: Any, task: EvaluationTask) -> None:
    found, folder, _ = made
    assert found.chosen is not None
    about = json.loads((folder / "plan.json").read_text())
    assert about["form"] == found.chosen.form
    assert about["made_from"] == "mine"
    encoder = load_encoder(folder, precision="auto" if found.chosen.model.runtime == "onnx" else "float32")
    documents = encoder.encode(["one", "two", "three"], prompt="document")
    built = CompressedVectors.build(documents, about["form"], encoder=encoder)
    assert built.search(documents[:1], 2)[0].shape == (1, 2)


def test_a_static_model_has_torch_alone_and_is_written_for_it(tmp_path: Path, pairs: EvaluationTask) -> None:
    static = initialise_static(tiny_encoder("bert").tokenizer.tokenizer, dimension=32)
    static.save(tmp_path / "static")
    with pytest.raises(InputError, match=r"scores -0\.\d+ in float32, of which no share can be kept"):
        plan(tmp_path / "static", [pairs])
    turned = StsPairs(pairs.data.first, pairs.data.second, 4 - pairs.data.scores)  # type: ignore[attr-defined]
    pairs = task_of("pairs", turned)
    found = plan(tmp_path / "static", [pairs], limits=Limits(keep=0.5), folder=tmp_path / "planned", resamples=100)
    assert {str(each.model) for each in found.candidates} == {"torch float32"}
    assert "static model" in found.notes[0]
    assert found.full.search is None
    assert found.chosen is not None
    again = Encoder.load(tmp_path / "planned", precision="float32")
    np.testing.assert_array_equal(again.encode(["some words"]), static.encode(["some words"]))
    found = plan(tmp_path / "static", [pairs], forms="int8", folder=tmp_path / "planned", resamples=0)  # replaces it
    assert "counts by its value" in found.reasons[-1]


@pytest.mark.parametrize(
    ("said", "field", "problem"),
    [
        ({"limits": Limits(bytes=1)}, "bytes", "the smallest takes 8"),
        ({"limits": Limits(bytes=10), "forms": "int8"}, "bytes", "the smallest takes 64"),
        ({"limits": Limits(finer_bytes=0), "forms": "binary, rescored x2 by int8"}, "finer_bytes", "larger finer"),
        ({"limits": Limits(memory=10**6)}, "memory", "1.0 MB cannot hold 1,000,000 documents"),
        ({"limits": Limits(bytes=10, finer_bytes=0), "forms": "int8; binary, rescored x2 by int8"}, "bytes", "no form"),
        ({"forms": "int9"}, "forms", "no code 'int9'"),
        ({"forms": "int8", "dims": [8]}, "dims", "forms say themselves"),
        ({"dims": [99]}, "dims", "99 is not between"),
        ({"runtimes": "onnx int4"}, "runtimes", "no precision 'int4'"),
        ({"corpus_size": 0}, "corpus_size", "at least 1"),
    ],
)  # fmt: skip
def test_what_contradicts_is_refused_before_any_work(
    model: Path, task: EvaluationTask, said: dict[str, Any], field: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_: Any, **__: Any) -> None:
        raise AssertionError("worked")

    monkeypatch.setattr(Encoder, "encode", encode)
    with pytest.raises(InputError, match=problem) as caught:
        plan(model, [task], **said)
    assert caught.value.field == field


def test_a_structure_counts_with_its_share_of_the_stated_corpus(
    model: Path, task: EvaluationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of 64 numbers: 16 bytes of codes, 8 of a number, and of 4,000 lists for 1,000,000 documents 1.02 each; of the few
    # vectors on which a form is tried it would be 6.
    pytest.importorskip("faiss")
    said: dict[str, Any] = {"forms": "ivf-rabitq", "runtimes": "torch float32", "resamples": 0}
    found = plan(model, [task], limits=Limits(bytes=26, keep=0.1), **said)
    assert found.chosen is not None
    assert found.chosen.bytes == pytest.approx(16 + 8 + 4 * 64 * 4_000 / 1_000_000)
    assert found.chosen.excesses == {}
    with pytest.raises(InputError, match="25 are fewer than any form takes: the smallest takes 26"):
        plan(model, [task], limits=Limits(bytes=25), **said)
    with pytest.raises(InputError, match=r"24\.0 MB cannot hold .* take 25\.0 MB"):
        plan(model, [task], limits=Limits(memory=24_000_000), **said)
    # Nor is it left out where only some forms are scored with every form of the model.
    monkeypatch.setattr("cosmith.compression.planning.planning._FEW", 0)
    said |= {"forms": "ivf-rabitq; float16; int8", "runtimes": "torch float32, onnx int8"}
    found = plan(model, [task], limits=Limits(bytes=26, keep=0.1), **said)
    assert "onnx int8; ivf-rabitq" in {each.name for each in found.candidates}


def test_tasks_and_folders_that_cannot_be(
    model: Path, task: EvaluationTask, pairs: EvaluationTask, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="nothing to score on"):
        plan(model, [])
    with pytest.raises(InputError, match="is a way to search, and no task searches"):
        plan(model, [pairs], forms="hnsw-sq8")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else than a planned model"):
        plan(model, [task], folder=tmp_path)


def test_an_exported_model_cannot_be_planned(
    exported_model: tuple[Any, Path], task: EvaluationTask, words_encoder: Callable[..., Any]
) -> None:
    with pytest.raises(InputError, match="is an exported model, which has no weights for torch"):
        plan(exported_model[1], [task])


def test_a_runtime_that_cannot_take_the_model_is_said(tmp_path: Path, task: EvaluationTask) -> None:
    encoder = tiny_encoder("bert").set_prompts({"query": "ask: ", "document": "told: "})
    encoder.set_pooling(include_prompt=False)
    encoder.save(tmp_path / "model")
    with pytest.raises(
        InputError, match="none can be made: onnx int8 is left out: leaves its prompts out of the pooling"
    ):
        plan(tmp_path / "model", [task], runtimes="onnx int8")
