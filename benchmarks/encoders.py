"""One model behind many doors: how each library loads all-MiniLM-L6-v2 and encodes with it, at its own defaults.

What a door opens is made once by its library (:func:`prepare`), in a folder that all rounds share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Encode = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Door:
    """A library with a runtime and a precision.

    Attributes:
        load: Model folder and folder of prepared files → what encodes.
        roof: In which numbers it multiplies: the roof that its speed is held against.
        environment: Whose Python: ``""`` for that of Cosmith, else ``onnx`` or ``openvino`` for a peer's.
    """

    load: Callable[[Path, Path], Encode]
    roof: str
    environment: str = ""


def cosmith(runtime: str, precision: str) -> Callable[[Path, Path], Encode]:
    """Cosmith's."""

    def load(model: Path, prepared: Path) -> Encode:
        from cosmith import load_encoder

        folder = model if runtime == "torch" else prepared / f"cosmith-{runtime}"
        encoder = load_encoder(folder, runtime=runtime, precision=precision)
        return lambda texts: encoder.encode(texts)

    return load


def sentence_transformers(
    backend: str, file: str | None = None, *, bf16: bool = False
) -> Callable[[Path, Path], Encode]:
    """sentence-transformers', at its batch size of 32, sorted by length."""

    def load(model: Path, prepared: Path) -> Encode:
        import torch
        from sentence_transformers import SentenceTransformer

        folder = model if backend == "torch" else prepared / f"sentence-transformers-{backend}"
        named: dict[str, Any] = {} if file is None else {"model_kwargs": {"file_name": file}}
        if backend == "onnx":  # by itself it takes all cores, whatever it is pinned to, and counts its waiting
            named["model_kwargs"]["session_options"] = _onnx_session_options()
        encoder = SentenceTransformer(str(folder), device="cpu", backend=backend, **named)

        def encode(texts: Sequence[str]) -> np.ndarray:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                vectors = encoder.encode(list(texts), show_progress_bar=False, convert_to_tensor=True)
            return vectors.float().numpy()

        return encode

    return load


def fastembed(model: Path, prepared: Path) -> Encode:
    """fastembed's with the float32 graph of the same weights; batches of 32, since its 256 take over 20 GB."""
    from fastembed import TextEmbedding

    name = "sentence-transformers/all-MiniLM-L6-v2"
    encoder = TextEmbedding(name, specific_model_path=str(prepared / "fastembed"), threads=_threads())
    return lambda texts: np.array(list(encoder.embed(list(texts), batch_size=32)))


def transformers(model: Path, prepared: Path) -> Encode:
    """A loop over batches of 32 with transformers, as model cards show it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    words, backbone = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()

    def encode(texts: Sequence[str]) -> np.ndarray:
        found = []
        for start in range(0, len(texts), 32):
            batch = list(texts[start : start + 32])
            tokens = words(batch, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.no_grad():
                states = backbone(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None].float()
            pooled = (states * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(pooled, dim=1).numpy())
        return np.concatenate(found)

    return encode


DOORS: Mapping[str, Door] = {
    "cosmith onnx int8": Door(cosmith("onnx", "int8"), "int8"),
    "cosmith openvino int8-static": Door(cosmith("openvino", "int8-static"), "int8"),
    "cosmith openvino float16": Door(cosmith("openvino", "float16"), "bf16"),
    "cosmith torch bf16": Door(cosmith("torch", "bf16"), "bf16"),
    "cosmith openvino float32": Door(cosmith("openvino", "float32"), "float32"),
    "cosmith onnx float32": Door(cosmith("onnx", "float32"), "float32"),
    "cosmith torch float32": Door(cosmith("torch", "float32"), "float32"),
    "sentence-transformers": Door(sentence_transformers("torch"), "float32"),
    "sentence-transformers bf16": Door(sentence_transformers("torch", bf16=True), "bf16"),
    "sentence-transformers onnx": Door(sentence_transformers("onnx", "onnx/model.onnx"), "float32", "onnx"),
    "sentence-transformers onnx O3": Door(sentence_transformers("onnx", "onnx/model_O3.onnx"), "float32", "onnx"),
    "sentence-transformers onnx int8": Door(
        sentence_transformers("onnx", "onnx/model_qint8_avx512_vnni.onnx"), "int8", "onnx"
    ),
    "sentence-transformers openvino": Door(
        sentence_transformers("openvino", "openvino/openvino_model.xml"), "bf16", "openvino"
    ),
    "sentence-transformers openvino int8": Door(
        sentence_transformers("openvino", "openvino/openvino_model_qint8_quantized.xml"), "int8", "openvino"
    ),
    "fastembed": Door(fastembed, "float32", "onnx"),
    "transformers": Door(transformers, "float32"),
}


def prepare(environment: str, model: Path, prepared: Path, calibration: Sequence[str]) -> None:
    """Make what the doors of an environment open, by the library's own functions; run in that environment."""
    {"": _prepare_cosmith, "onnx": _prepare_onnx, "openvino": _prepare_openvino}[environment](
        model, prepared, calibration
    )


def _prepare_cosmith(model: Path, prepared: Path, calibration: Sequence[str]) -> None:
    from cosmith.compression import export
    from cosmith.models import Encoder

    encoder = Encoder.load(model)
    texts, calibration = calibration[::2], calibration[1::2]
    export(encoder, prepared / "cosmith-onnx", precisions=["float32", "int8"], texts=texts)
    export(
        encoder, prepared / "cosmith-openvino", runtimes=["openvino"],
        precisions=["float32", "float16", "int8-static"], calibration=calibration, texts=texts,
    )  # fmt: skip


def _prepare_onnx(model: Path, prepared: Path, calibration: Sequence[str]) -> None:
    import shutil

    from sentence_transformers import (
        SentenceTransformer,
        export_dynamic_quantized_onnx_model,
        export_optimized_onnx_model,
    )

    folder = prepared / "sentence-transformers-onnx"
    encoder = SentenceTransformer(str(model), backend="onnx", model_kwargs={"export": True})
    encoder.save_pretrained(str(folder))
    export_optimized_onnx_model(encoder, "O3", str(folder))
    export_dynamic_quantized_onnx_model(encoder, "avx512_vnni", str(folder))
    shutil.copytree(folder, prepared / "fastembed")
    shutil.copy(folder / "onnx" / "model.onnx", prepared / "fastembed" / "model.onnx")


def _prepare_openvino(model: Path, prepared: Path, calibration: Sequence[str]) -> None:
    import json

    from sentence_transformers import SentenceTransformer, export_static_quantized_openvino_model

    folder, texts = prepared / "sentence-transformers-openvino", prepared / "calibration"
    texts.mkdir()
    rows = "".join(json.dumps({"sentence": text}) + "\n" for text in calibration)
    (texts / "train.jsonl").write_text(rows, encoding="utf-8")
    encoder = SentenceTransformer(str(model), backend="openvino", model_kwargs={"export": True})
    encoder.save_pretrained(str(folder))
    export_static_quantized_openvino_model(
        encoder, None, str(folder), dataset_name=str(texts), dataset_config_name="default", dataset_split="train",
        column_name="sentence",
    )  # fmt: skip


def _onnx_session_options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    return options


def _threads() -> int:
    import os

    return int(os.environ["OMP_NUM_THREADS"])
