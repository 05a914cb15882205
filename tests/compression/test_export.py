"""Exported graphs compute what the model does, and none is written that loses too much."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.compression import export
from cosmith.compression.fidelity import cosines
from cosmith.compression.graph import pool_rectangle, whole, write_graph
from cosmith.compression.openvino_graph import transpose_keys_in_products
from cosmith.compression.quantisation import products_of_activations
from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation.tasks import task_of
from cosmith.models import POOLINGS, Encoder, initialise_static, load_encoder, pool, tiny_encoder
from cosmith.models.layers import layers_of
from cosmith.models.runtimes.description import RuntimePrecision
from cosmith.models.runtimes.openvino_session import import_openvino
from cosmith.models.similarity import Similarity, encode_unscaled, leaves_unit_rows, similarity_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

_ALONE = "COSMITH_TEST_ALONE"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_of_a_rectangle_is_that_of_flat_tokens(pooling: str) -> None:
    torch.manual_seed(0)
    states = torch.randn(4, 6, 3) - 5
    lengths = torch.tensor([6, 1, 4, 2])
    mask = (torch.arange(6) < lengths[:, None]).long()
    text = torch.repeat_interleave(torch.arange(4), lengths)
    flat = pool(states[mask.bool()], lengths, text, pooling)  # type: ignore[arg-type]
    torch.testing.assert_close(pool_rectangle(states, mask, pooling), flat)  # type: ignore[arg-type]
    assert pool_rectangle(states, torch.zeros_like(mask), "mean").abs().sum() == 0


@pytest.mark.parametrize(
    "model",
    ["decoder", "decoder, all see all", "latent attention", "max", "static"],
)
def test_every_kind_of_encoder_computes_the_same(model: str, tmp_path: Path, exported_texts: list[str]) -> None:
    if model == "static":
        encoder = initialise_static(tiny_encoder("bert").tokenizer.tokenizer, dimension=8)
    elif model.startswith("decoder"):
        encoder = tiny_encoder("qwen3")
        if "all" in model:
            encoder.set_bidirectional()
    elif model == "max":
        encoder = tiny_encoder("bert", pooling="max")
    else:
        encoder = tiny_encoder("bert").set_pooling(latents=4, heads=4)
        with torch.no_grad():
            for weights in encoder.module["latent_attention"].parameters():
                weights.add_(torch.randn_like(weights) * 0.1)
    (found,) = export(encoder, tmp_path / "model", texts=exported_texts)
    assert found.least > 1 - 1e-6
    texts = [*exported_texts, "", "y" * 999]
    loaded = load_encoder(tmp_path / "model")
    np.testing.assert_allclose(loaded.encode(texts), encoder.encode(texts), atol=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_a_model_that_does_not_normalise_is_exported_as_it_is(
    similarity: Similarity, tmp_path: Path, exported_texts: list[str]
) -> None:
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, head=(), similarity=similarity)
    precisions: list[RuntimePrecision] = ["float32", "int8-static"]
    found = export(
        encoder, tmp_path / "model", precisions=precisions, texts=exported_texts, calibration=exported_texts, floor=0.9
    )  # fmt: skip
    assert found[0].least > 1 - 1e-6
    loaded = load_encoder(tmp_path / "model", precision="float32")
    assert similarity_of(loaded) == similarity
    assert not leaves_unit_rows(loaded)
    for dim in (None, 7):
        expected = encode_unscaled(encoder, exported_texts, dim=dim)
        np.testing.assert_allclose(encode_unscaled(loaded, exported_texts, dim=dim), expected, atol=1e-5)
        np.testing.assert_allclose(
            loaded.encode(exported_texts, dim=dim), encoder.encode(exported_texts, dim=dim), atol=1e-5
        )


def test_an_export_of_an_earlier_release_gives_unit_rows(exported_model: tuple[Encoder, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported_model[1], folder)
    path = folder / "cosmith_runtimes.json"
    said = json.loads(path.read_text())
    assert (said["format"], said.pop("normalises")) == (2, True)
    path.write_text(json.dumps(said | {"format": 1}))
    assert leaves_unit_rows(load_encoder(folder, precision="float32"))


def test_the_folder_is_laid_out_as_sentence_transformers_does(exported_model: tuple[Encoder, Path]) -> None:
    encoder, folder = exported_model
    graph = onnx.load(str(folder / "onnx" / "model.onnx")).graph
    assert [each.name for each in graph.input] == ["input_ids", "attention_mask"]
    assert [each.name for each in graph.output] == ["last_hidden_state", "sentence_embedding"]
    assert {file.name for file in (folder / "onnx").iterdir()} == {
        "model.onnx", "model_float16.onnx", "model_qint8.onnx", "model_qint8_static.onnx",
    }  # fmt: skip
    kinds = [module["type"].rpartition(".")[2] for module in json.loads((folder / "modules.json").read_text())]
    assert kinds == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"] == encoder.max_length
    assert not list(folder.glob("*.safetensors"))
    whole, halves = (folder / "onnx" / name for name in ("model.onnx", "model_float16.onnx"))
    assert halves.stat().st_size < whole.stat().st_size


def test_attention_stays_as_it_is_in_eight_bits(exported_model: tuple[Encoder, Path]) -> None:
    encoder, folder = exported_model
    products = products_of_activations(folder / "onnx" / "model.onnx")
    layers = len(layers_of(encoder.module["backbone"]))
    assert len(products) == 2 * layers
    static = {node.name: node for node in onnx.load(str(folder / "onnx" / "model_qint8_static.onnx")).graph.node}
    scales = {name for node in static.values() if node.op_type == "DequantizeLinear" for name in node.output}
    read = {name: set(node.input) for name, node in static.items() if node.op_type == "MatMul"}
    assert all(not read[name] & scales for name in products)
    assert sum(bool(names & scales) for names in read.values()) >= 6 * layers


def test_latent_attention_is_calibrated(tmp_path: Path, exported_texts: list[str]) -> None:
    pytest.importorskip("nncf")
    encoder = tiny_encoder("bert").set_pooling(latents=4, heads=4)
    (found,) = export(
        encoder, tmp_path / "model", precisions=["int8-static"], texts=exported_texts, calibration=exported_texts
    )
    assert found.mean > 0.99


def test_without_nncf_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    monkeypatch.setattr("cosmith.compression.exporting.whole", pytest.fail)
    with pytest.raises(InputError, match="needs NNCF"):
        export(tiny_encoder("bert"), tmp_path / "model", precisions=["float32", "int8-static"], calibration=["a text"])


def test_the_report_tells_what_was_lost(exported_model: tuple[Encoder, Path], exported_texts: list[str]) -> None:
    encoder, folder = exported_model
    report = json.loads((folder / "fidelity.json").read_text())
    assert report["floor"] == 0.99
    forms = {each["precision"]: each for each in report["forms"]}
    assert list(forms) == ["float32", "float16", "int8", "int8-static"]
    assert forms["float32"]["mean"] > 1 - 1e-6 > forms["int8"]["mean"] > forms["int8"]["first_percentile"] > 0.99
    reference = encoder.encode(exported_texts, prompt="document")
    near = cosines(load_encoder(folder, precision="float16"), exported_texts, reference)
    assert forms["float16"]["mean"] == pytest.approx(near.mean(), abs=1e-6)
    assert forms["float16"]["least"] == pytest.approx(near.min(), abs=1e-6)
    assert forms["int8"]["texts"] == len(exported_texts)


def test_below_the_floor_nothing_is_written(tmp_path: Path, exported_texts: list[str]) -> None:
    folder = tmp_path / "model"
    encoder = tiny_encoder("bert")
    (kept,) = export(encoder, folder, texts=exported_texts)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"onnx int8 is below the floor: mean cosine .*nothing was written"):
        export(encoder, folder, precisions=["float32", "int8"], texts=exported_texts, floor=0.9999999)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert kept.mean > 0.9999999
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_the_change_on_a_task_is_measured(tmp_path: Path, exported_texts: list[str]) -> None:
    texts = {str(number): f"{number} {text}" for number, text in enumerate(exported_texts)}
    relevance = {name: {name: 1} for name in texts}
    collection = Collection("own", texts, {name: text[:6] for name, text in texts.items()}, relevance)
    (found,) = export(tiny_encoder("bert"), tmp_path / "model", texts=exported_texts,
                      tasks=[task_of("own", collection)])  # fmt: skip
    (change,) = found.tasks
    assert (change.task, change.metric) == ("own", "ndcg@10")
    assert change.before == pytest.approx(change.after, abs=1e-6)
    assert 0 < change.before < 1
    assert (change.low, change.high) == pytest.approx((0, 0), abs=1e-6)


def test_what_cannot_be_had_is_refused_at_once(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    folder = tmp_path / "model"
    for wrong, told in (
        ({"precisions": ["int4"]}, "int4"),
        ({"runtimes": ["tensorrt"]}, "tensorrt"),
        ({"precisions": []}, "none is given"),
        ({"precisions": ["int8-static"]}, "needs texts"),
        ({"calibration": ["a text"]}, "only int8-static reads them"),
        ({"runtimes": ["openvino"], "precisions": ["int8"]}, "int8-static"),
        ({"runtimes": ["onnx", "openvino"], "precisions": ["int8"]}, "nothing is left for openvino: OpenVINO does not"),
        ({"floor": 99}, "is a cosine"),
        ({"texts": []}, "there are none"),
    ):
        with pytest.raises(InputError, match=told):
            export(encoder, folder, **wrong)  # type: ignore[arg-type]
    left_out = tiny_encoder("bert").set_prompts({"query": "q: "}).set_pooling(include_prompt=False)
    with pytest.raises(InputError, match="leaves its prompts out of the pooling"):
        export(left_out, folder)
    encoder.save(folder)
    with pytest.raises(InputError, match="holds something else than an exported model"):
        export(encoder, folder)


def test_openvino_computes_the_same(tmp_path: Path, exported_texts: list[str]) -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    if _ALONE not in os.environ:
        # Where OpenVINO has run, a signal that training handles ends the process with a segmentation fault.
        command = [sys.executable, "-m", "pytest", "-q", __file__, "-k", "test_openvino_computes_the_same"]
        done = subprocess.run(command, env=os.environ | {_ALONE: "1"}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return
    encoder = tiny_encoder("bert", projection=16)
    found = export(encoder, tmp_path / "model", runtimes=["openvino"],
                   precisions=["float32", "float16", "int8-static"], calibration=exported_texts,
                   texts=exported_texts)  # fmt: skip
    assert [each.least > least for each, least in zip(found, (1 - 1e-6, 0.999, 0.99), strict=True)] == [True] * 3
    loaded = load_encoder(tmp_path / "model", runtime="openvino", precision="float32")
    texts = [*exported_texts, "", "y" * 999]
    np.testing.assert_allclose(loaded.encode(texts), encoder.encode(texts), atol=1e-5)

    write_graph(whole(encoder), tmp_path / "graph.onnx")
    graph = import_openvino().Core().read_model(str(tmp_path / "graph.onnx"))
    layers = encoder.module["backbone"].config.num_hidden_layers
    assert [transpose_keys_in_products(graph) for _ in range(2)] == [layers, 0]


def test_an_encoder_is_left_as_it_was(tmp_path: Path, exported_texts: list[str]) -> None:
    encoder = tiny_encoder("bert")
    fingerprint, vectors = encoder.fingerprint(), encoder.encode(exported_texts)
    export(encoder, tmp_path / "model", precisions=["float16"], texts=exported_texts)
    assert encoder.fingerprint() == fingerprint
    assert encoder.variable_length
    assert np.array_equal(encoder.encode(exported_texts), vectors)
