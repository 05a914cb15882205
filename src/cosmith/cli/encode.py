"""`cosmith encode`: texts of a file to vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.texts import report_cut, texts_of
from cosmith.errors import InputError


def encode(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    texts: Annotated[Path, typer.Argument(help="JSONL, CSV, TSV, Parquet, .txt (a text a line), or a BEIR folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the vectors go: float32 [texts, dim], .npy.")],
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="`query`, `document` or another prompt of the model.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of the texts.")] = "auto",
    dim: Annotated[int | None, typer.Option("--dim", help="Keep the first DIM numbers of each vector.")] = None,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
) -> None:
    """Encode texts; their ids go into OUTPUT.ids.jsonl, row by row.

    Example: cosmith encode all-MiniLM-L6-v2 documents.jsonl --prompt document --output vectors.npy
    """
    import numpy as np

    from cosmith.atomic import atomic_file
    from cosmith.recipes.artefacts import load_encoder

    if output.suffix != ".npy":
        raise InputError("is not the name of an .npy file", path=output, field="--output", remedy="End it in .npy.")
    manner = manner_of(context)
    read = texts_of(texts, column, manner, rejected=output.with_suffix(".rejected.jsonl"))
    encoder = load_encoder(model, precision)
    vectors = encoder.encode(read.texts, prompt=prompt, dim=dim, show_progress="Encoding texts")
    cut = report_cut(encoder, read.texts, prompt, manner)
    with atomic_file(output, "wb") as handle:
        np.save(handle, vectors)
    ids = output.with_suffix(".ids.jsonl")
    with atomic_file(ids) as handle:
        handle.writelines(json.dumps({"_id": given}, ensure_ascii=False) + "\n" for given in read.ids)
    count, width = vectors.shape
    value = {"texts": count, "dim": width, "vectors": str(output), "ids": str(ids), "cut": cut}
    manner.result(f"{count:,} vectors of {width} numbers in {output}, ids in {ids}", value)
