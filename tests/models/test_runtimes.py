"""Exported models: they say what the model says, without torch, and refuse what is not whole."""

from __future__ import annotations

import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cosmith
from cosmith.errors import InputError
from cosmith.models import CachedEncoder, Encoder, VectorCache, load_encoder
from cosmith.models.runtimes import DESCRIPTION, ExportedModel, RuntimeEncoder, Variant, load_runtime, try_folder
from cosmith.models.runtimes.openvino_session import filled_up
from cosmith.models.runtimes.trial import try_variants

pytest.importorskip("onnxruntime")

STRANGE = ["", "x" * 3_000, "Ünïcödé ﬁ 中文", "a", "a"]


@pytest.mark.parametrize("prompt", [None, "query", "document"])
def test_float32_gives_the_vectors_of_torch(
    exported_model: tuple[Encoder, Path], exported_texts: list[str], prompt: str | None
) -> None:
    encoder, folder = exported_model
    loaded = load_encoder(folder, runtime="onnx", precision="float32")
    texts = exported_texts + STRANGE
    said = {"prompt": prompt, "instruction": "what it is"}
    np.testing.assert_allclose(loaded.encode(texts, **said), encoder.encode(texts, **said), atol=1e-5)
    np.testing.assert_allclose(loaded.encode(texts, dim=5, **said), encoder.encode(texts, dim=5, **said), atol=1e-5)
    mine, other = loaded.tokenize(texts, **said), encoder.tokenize(texts, **said)
    assert np.array_equal(mine.values, other.values)
    assert np.array_equal(mine.truncated, other.truncated)
    assert mine.truncated.sum() > 1
    assert loaded.token_key(**said) == encoder.token_key(**said)
    assert (loaded.dimension, loaded.max_length) == (encoder.dimension, encoder.max_length)
    assert loaded.encode([]).shape == (0, 16)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8-static"])
@settings(max_examples=15)
@given(data=st.data())
def test_order_batch_and_company_change_nothing(
    exported_model: tuple[Encoder, Path], exported_texts: list[str], precision: str, data: st.DataObject
) -> None:
    encoder = load_runtime(exported_model[1], precision=precision, threads=data.draw(st.integers(1, 3)))
    numbers = data.draw(st.lists(st.integers(0, len(exported_texts) - 1), min_size=1, max_size=20))
    budget = data.draw(st.integers(1, 2_000))
    alone = encoder.encode(exported_texts)
    together = encoder.encode([exported_texts[number] for number in numbers], token_budget=budget)
    np.testing.assert_allclose(together, alone[numbers], atol=1e-5 if precision == "float32" else 2e-3)


def test_int8_vectors_are_near_in_any_company(exported_model: tuple[Encoder, Path], exported_texts: list[str]) -> None:
    encoder, folder = exported_model
    loaded = load_runtime(folder, precision="int8")
    exact = encoder.encode(exported_texts)
    for budget in (1, 200, 2_000):
        assert (loaded.encode(exported_texts, token_budget=budget) * exact).sum(1).min() > 0.999


def test_neither_torch_nor_transformers_is_imported(exported_model: tuple[Encoder, Path]) -> None:
    code = (
        "import sys, cosmith\n"
        f"encoder = cosmith.load_encoder({str(exported_model[1])!r}, runtime='onnx', precision='int8')\n"
        "assert encoder.encode(['one text', 'another']).shape == (2, 16)\n"
        "assert encoder.tokenize(['x ' * 999]).truncated.all() and encoder.fingerprint()\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_fastest_form_is_tried_once_and_remembered(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))
    folder = exported_model[1]
    first = try_folder(folder)
    assert not first.remembered
    assert {each.precision for each in first.milliseconds} == {"float32", "float16", "int8", "int8-static"}
    second = try_folder(folder)
    assert second.remembered
    assert second.milliseconds == first.milliseconds
    loaded: Any = load_encoder(folder)
    assert loaded.variant == first.fastest
    assert not try_folder(folder, again=True).remembered
    (tmp_path / "runtimes.json").write_text("broken")
    assert not try_folder(folder).remembered


@pytest.mark.parametrize(
    "kept", ['{"KEY": {"FORMS": "fast"}}', '{"KEY": {"FORMS": null}}', '{"KEY": {"FORMS": -1}}', '{"KEY": 1}', "[]"]
)
def test_a_damaged_outcome_is_measured_anew(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))
    try_folder(exported_model[1])
    file = tmp_path / "runtimes.json"
    (key, speeds), *_ = json.loads(file.read_text()).items()
    said = json.loads(kept)
    if isinstance(said, dict):
        value = said["KEY"]
        said = {key: dict.fromkeys(speeds, value["FORMS"]) if isinstance(value, dict) else value}
    file.write_text(json.dumps(said))
    again = try_folder(exported_model[1])
    assert not again.remembered
    assert all(speed is not None and speed > 0 for speed in again.milliseconds.values())


def test_a_form_that_does_not_run_here_is_tried_once(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))
    folder, tried = exported_model[1], []

    def load(variant: Variant) -> RuntimeEncoder:
        tried.append(variant)
        if len(tried) == 2:
            raise InputError("is not installed", field="runtime")
        return load_runtime(folder, runtime=variant.runtime, precision=variant.precision)

    variants = ExportedModel.read(folder).variants
    first = try_variants(folder, variants, load, 1)
    second = try_variants(folder, variants, load, 1)
    assert second.remembered
    assert len(tried) == len(variants)
    assert second.milliseconds == first.milliseconds
    assert second.reasons == first.reasons
    assert list(second.reasons) == [tried[1]]
    assert second.fastest not in second.reasons


def test_where_no_form_runs_all_are_tried_again(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))

    def load(variant: Variant) -> RuntimeEncoder:
        raise InputError(f"{variant.name} is not installed", field="runtime")

    variants = ExportedModel.read(exported_model[1]).variants
    for _ in range(2):
        found = try_variants(exported_model[1], variants, load, 1)
        assert not found.remembered
        with pytest.raises(InputError, match="none of the exported forms runs here"):
            _ = found.fastest


def test_the_outcome_on_other_providers_is_another(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as many as with providers
    load_runtime(exported_model[1], runtime="onnx")
    load_runtime(exported_model[1], runtime="onnx", providers=["CPUExecutionProvider"])
    assert len(json.loads((tmp_path / "runtimes.json").read_text())) == 2


def test_a_changed_graph_is_refused_whichever_form_is_the_fastest(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSMITH_CACHE", str(tmp_path))
    folder = shutil.copytree(exported_model[1], tmp_path / "model")
    _broken(folder, "graph changed")
    for load in (load_encoder, try_folder):
        with pytest.raises(InputError, match="has changed since it was exported"):
            load(folder)


def test_fingerprints_tell_forms_and_prompts_apart(exported_model: tuple[Encoder, Path], tmp_path: Path) -> None:
    encoder, folder = exported_model
    forms = [load_runtime(folder, precision=each) for each in ("float32", "int8")]
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load_runtime(copy, precision="int8").fingerprint() == forms[1].fingerprint()
    settings_file = copy / "config_sentence_transformers.json"
    said = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps(said | {"prompts": {"query": "seek: "}}))
    changed = load_runtime(copy, precision="int8")
    assert changed.prompts == {"query": "seek: "}
    prints = [each.fingerprint() for each in (*forms, changed)]
    assert len({encoder.fingerprint(), *prints}) == 4


def test_it_can_be_cached_and_sent_to_another_process(
    exported_model: tuple[Encoder, Path], exported_texts: list[str], tmp_path: Path
) -> None:
    encoder = load_runtime(exported_model[1], precision="float32", threads=1)
    found = encoder.encode(exported_texts)
    with VectorCache(tmp_path / "vectors.sqlite") as cache:
        for _ in range(2):
            assert np.array_equal(CachedEncoder(encoder, cache).encode(exported_texts), found)
        assert cache.counts.made == len(exported_texts)
    again = pickle.loads(pickle.dumps(encoder))
    assert again.fingerprint() == encoder.fingerprint()
    np.testing.assert_allclose(again.encode(exported_texts), found, atol=1e-6)


def test_in_another_process_it_has_the_prompts_that_it_was_given(exported_model: tuple[Encoder, Path]) -> None:
    encoder = load_runtime(exported_model[1], precision="float32", threads=1).set_prompts({"query": "seek: "})
    encoder.name = "mine"
    again = pickle.loads(pickle.dumps(encoder))
    assert (again.name, again.prompts, again.fingerprint()) == ("mine", {"query": "seek: "}, encoder.fingerprint())
    assert np.array_equal(again.encode(["tea"], prompt="query"), encoder.encode(["tea"], prompt="query"))


def _broken(folder: Path, what: str) -> None:
    graph = folder / "onnx" / "model.onnx"
    description = folder / DESCRIPTION
    said = json.loads(description.read_text())
    if what == "graph gone":
        graph.unlink()
    elif what == "graph changed":
        graph.write_bytes(graph.read_bytes() + b"x")
    elif what == "outside":
        (folder.parent / "elsewhere.onnx").write_bytes(graph.read_bytes())
        said["variants"][0]["files"] = ["../elsewhere.onnx"]
        description.write_text(json.dumps(said))
    elif what == "format":
        description.write_text(json.dumps(said | {"format": 99}))
    elif what == "no JSON":
        description.write_text("{")
    elif what == "no dimension":
        description.write_text(json.dumps({key: value for key, value in said.items() if key != "dimension"}))
    elif what == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif what == "broken tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif what == "small vocabulary":
        description.write_text(json.dumps(said | {"vocabulary": 10}))
    elif what == "no length":
        (folder / "sentence_bert_config.json").unlink()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("graph gone", "there is no onnx/model.onnx"),
        ("graph changed", "has changed since it was exported"),
        ("outside", "outside the model"),
        ("format", "is of format 99"),
        ("no JSON", "is not valid JSON"),
        ("no dimension", "does not say 'dimension'"),
        ("no tokenizer", "has no tokenizer.json"),
        ("broken tokenizer", "is no tokenizer"),
        ("small vocabulary", "where the exported graphs know 10"),
        ("no length", "does not say max_seq_length"),
    ],
)
def test_what_is_not_whole_is_refused(
    exported_model: tuple[Encoder, Path], tmp_path: Path, what: str, told: str
) -> None:
    folder = shutil.copytree(exported_model[1], tmp_path / "model")
    _broken(folder, what)
    with pytest.raises(InputError, match=told):
        load_runtime(folder, precision="float32")


def test_the_encoder_loads_what_was_exported(exported_model: tuple[Encoder, Path]) -> None:
    encoder, folder = exported_model
    loaded = Encoder.load(folder, runtime="onnx", precision="int8")
    assert (loaded.runtime, loaded.precision) == ("onnx", "int8")
    texts = ["red apples", "a river in spring"]
    whole = Encoder.load(folder, runtime="onnx")
    np.testing.assert_allclose(whole.encode(texts), encoder.encode(texts), atol=1e-5)
    load: Any = Encoder.load
    with pytest.raises(InputError, match=r"\[device\]: is for torch"):
        load(folder, runtime="onnx", device="cuda")
    with pytest.raises(InputError, match="Did you mean 'onnx'"):
        load(folder, runtime="onxx")


def test_wrong_words_are_refused(exported_model: tuple[Encoder, Path], tmp_path: Path) -> None:
    encoder, folder = exported_model
    with pytest.raises(InputError, match=r"runtime.*Did you mean 'onnx'"):
        load_encoder(folder, runtime="onxx")
    with pytest.raises(InputError, match="no openvino form, only: onnx float32"):
        load_encoder(folder, runtime="openvino")
    with pytest.raises(InputError, match=r"precision.*Did you mean 'int8'"):
        load_encoder(folder, precision="int9")
    with pytest.raises(InputError, match="has no NoSuchProvider"):
        load_encoder(folder, precision="int8", providers=["NoSuchProvider"])
    with pytest.raises(InputError, match="is an exported model"):
        Encoder.load(folder)
    plain = encoder.copy().save(tmp_path / "plain")
    assert isinstance(load_encoder(plain), Encoder)
    assert isinstance(Encoder.load(plain, runtime="torch"), Encoder)
    with pytest.raises(InputError, match=r"holds no exported model.*cosmith export"):
        load_encoder(plain, runtime="onnx")
    loaded = load_runtime(folder, precision="float32")
    for wrong, field in (({"dim": 17}, "dim"), ({"prompt": "quarry"}, "prompt")):
        with pytest.raises(InputError, match=field):
            loaded.encode(["a"], **wrong)
    with pytest.raises(InputError, match="is one text"):
        loaded.encode("a")


def test_openvino_starts_no_telemetry() -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    code = (
        "import sys, threading\n"
        "from cosmith.models.runtimes.openvino_session import import_openvino\n"
        "import_openvino().Core()\n"
        "print([name for name in sys.modules if 'telemetry' in name and sys.modules[name] is not None\n"
        "       and not name.startswith('openvino.tools')], threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 1"


@given(st.integers(1, 8192), st.integers(1, 8192))
def test_texts_are_filled_up_to_few_lengths_that_the_model_reads(length: int, longest: int) -> None:
    length = min(length, longest)
    filled = filled_up(length, longest)
    assert length <= filled <= longest
    assert filled == longest or (filled % 4 == 0 and filled - length < max(4, length / 4))
    assert filled_up(filled, longest) == filled


def test_public_names_are_there() -> None:
    assert all(hasattr(cosmith.models, name) for name in cosmith.models.__all__)
