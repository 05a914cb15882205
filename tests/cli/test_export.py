"""From a model to an exported folder, and what can be done with it, from the command line."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.compression import Fidelity
from cosmith.models import Encoder, load_encoder

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    texts = {"a": "red apples", "b": "green pears", "c": "a river in spring", "d": "code that sorts " * 20}
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items()]
    (folder / "qrels").mkdir()
    (folder / "corpus.jsonl").write_text("".join(lines))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "apples"}\n{"_id": "q2", "text": "sort a list"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\td\t1\n")
    return folder


def test_export_says_what_was_lost(exported_model: tuple[Encoder, Path], documents: Path, tmp_path: Path) -> None:
    model = exported_model[0].copy().save(tmp_path / "model")
    given = ("--texts", documents / "corpus.jsonl", "--task", documents, "--precision", "float32")
    done = cosmith("export", model, "--to", tmp_path / "onnx", *given)
    assert done.exit_code == 0, done.output
    assert "onnx float32" in done.stdout
    assert "1.00000" in done.stdout
    assert "ndcg@10" in done.stdout
    assert "+0.0000 [+0.0000, +0.0000]" in done.stdout
    int8 = ("export", model, "--to", tmp_path / "int8", "--precision", "int8")
    refused = cosmith("--json", *int8, "--floor", "0.999999")
    assert refused.exit_code == 1
    assert "[--floor]: onnx int8 is below the floor" in refused.stderr
    assert not (tmp_path / "int8").exists()
    wrong = cosmith("export", model, "--to", tmp_path / "int8", "--precision", "int8-static")
    assert "[--calibrate]: int8-static needs texts" in wrong.stderr


def test_texts_within_an_earlier_export_are_not_replaced(exported_model: tuple[Encoder, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported_model[1], tmp_path / "onnx"))
    (folder / "texts.txt").write_text("red apples\ngreen pears\n")
    done = cosmith("export", "all-MiniLM-L6-v2", "--to", folder, "--texts", folder / "texts.txt")
    assert done.exit_code == 1
    assert "onnx [--to]: is read from (" in done.stderr
    assert (folder / "texts.txt").is_file()


def test_one_folder_holds_the_forms_of_both_runtimes(
    exported_model: tuple[Encoder, Path], exported_texts: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("nncf")
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO is not installed")
    model, folder = exported_model[0].copy().save(tmp_path / "model"), tmp_path / "both"
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in exported_texts))

    def alone(*arguments: Any) -> dict[str, Any]:
        """In a process of its own: where OpenVINO has run, a signal that training handles ends the process."""
        command = [sys.executable, "-m", "cosmith", "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    made = alone(
        "export", model, "--to", folder, "--runtime", "onnx", "--runtime", "openvino", "--precision", "int8",
        "--precision", "int8-static", "--calibrate", texts, "--texts", texts,
    )  # fmt: skip
    forms = [("onnx", "int8"), ("onnx", "int8-static"), ("openvino", "int8-static")]
    assert [(each["runtime"], each["precision"]) for each in made["forms"]] == forms
    (left_out,) = made["left_out"]
    assert (left_out["runtime"], left_out["precision"]) == ("openvino", "int8")
    assert json.loads((folder / "fidelity.json").read_text())["forms"] == made["forms"]
    tried = alone("runtime", folder, "--again")
    assert [(each["runtime"], each["precision"]) for each in tried["forms"]] == forms
    assert all(each["milliseconds"] for each in tried["forms"])
    encoded = alone("encode", folder, texts, "--prompt", "document", "--output", tmp_path / "vectors.npy")
    assert encoded
    exact = exported_model[0].encode(exported_texts, prompt="document")
    assert (np.load(tmp_path / "vectors.npy") * exact).sum(axis=1).mean() > 0.99


def test_what_is_left_out_is_told(
    exported_model: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(*_: Any, **__: Any) -> tuple[Fidelity, ...]:
        return (Fidelity("openvino", "float32", 1, 1, 1, 1, 1, ()),)

    monkeypatch.setattr("cosmith.compression.export", written, raising=False)
    model = exported_model[0].copy().save(tmp_path / "model")
    asked = ("--runtime", "openvino", "--precision", "float32", "--precision", "int8")
    done = cosmith("export", model, "--to", tmp_path / "both", *asked)
    assert "openvino int8 is left out: OpenVINO does not scale activations batch by batch." in done.stdout


def test_runtime_prints_the_trial(exported_model: tuple[Encoder, Path], tmp_path: Path) -> None:
    folder = exported_model[1]
    done = cosmith("runtime", folder, "--again")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("onnx int8") >= 2
    assert "`--runtime auto` takes onnx" in done.stdout
    told = json.loads(cosmith("--json", "runtime", folder).stdout)
    assert told["remembered"]
    assert [each["precision"] for each in told["forms"]] == ["float32", "float16", "int8", "int8-static"]
    assert all(each["milliseconds"] > 0 and each["bytes"] > 0 for each in told["forms"])
    assert "cosmith export" in cosmith("runtime", exported_model[0].copy().save(tmp_path / "model")).stderr


def test_commands_take_an_exported_folder(
    exported_model: tuple[Encoder, Path], documents: Path, tmp_path: Path
) -> None:
    encoder, folder = exported_model
    corpus = documents / "corpus.jsonl"
    chosen = ("--runtime", "onnx", "--precision", "float32")
    done = cosmith("encode", folder, corpus, "--prompt", "document", "--output", tmp_path / "v.npy", *chosen)
    assert done.exit_code == 0, done.output
    assert "1 of 4" in done.stderr or "1 text" in done.stderr
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), encoder.encode(texts, prompt="document"), atol=1e-5)
    built = cosmith("index", folder, corpus, "--output", tmp_path / "index", *chosen)
    assert built.exit_code == 0, built.output
    found = json.loads(cosmith("--json", "search", tmp_path / "index", "red apples", "-k", 2, *chosen).stdout)
    best = load_encoder(folder, precision="float32").encode(["red apples"], prompt="query")
    scores = np.sort(best @ encoder.encode(texts, prompt="document").T)[0, ::-1]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx(scores[:2].tolist(), abs=1e-5)
    scored = cosmith("--json", "evaluate", folder, "--task", documents, "--no-cache", *chosen)
    assert scored.exit_code == 0, scored.output
    assert [each["count"] for each in json.loads(scored.stdout)["cut"]] == [1, 0]
    given = ("--task", documents, "--no-cache", "--forms", "float32; int8")
    swept = cosmith("--json", "compress", "vectors", folder, *given, *chosen)
    assert swept.exit_code == 0, swept.output
    wrong = cosmith("compress", "vectors", folder, *given, "--runtime", "torch")
    assert "is an exported model" in wrong.stderr
    plain = exported_model[0].copy().save(tmp_path / "model")
    compared = cosmith("--json", "compare", folder, plain, "--task", documents, "--no-cache", "--precision", "float32")
    assert compared.exit_code == 0, compared.output
    nothing = cosmith("evaluate", "bm25", "--task", documents, "--runtime", "onnx")
    assert "[--runtime]: no model that makes vectors is run here" in nothing.stderr
    other = cosmith("search", tmp_path / "index", "red apples", "--precision", "int8")
    assert other.exit_code == 1  # another form's vectors cannot be compared with those of the index
    torch = cosmith("encode", folder, corpus, "--output", tmp_path / "t.npy", "--runtime", "torch")
    assert "is an exported model" in torch.stderr


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "int8-static"])
def test_an_index_is_searched_in_the_form_it_was_made_in(
    exported_model: tuple[Encoder, Path], documents: Path, tmp_path: Path, precision: str
) -> None:
    folder, index = exported_model[1], tmp_path / "index"
    made = cosmith("index", folder, documents, "--output", index, "--precision", precision)
    assert made.exit_code == 0, made.output
    for more in ((), ("--runtime", "onnx"), ("--model", folder)):
        found = cosmith("--json", "search", index, "red apples", "-k", 1, *more)
        assert found.exit_code == 0, found.output
        assert json.loads(found.stdout)["hits"][0]["id"] == "a"
