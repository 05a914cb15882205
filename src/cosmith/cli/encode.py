"""`cosmith encode`: texts of a file to vectors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.texts import of_columns, rejected_value, report_cut, require_used, texts_of
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from cosmith.data import TextsRead


def encode(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    texts: Annotated[Path, typer.Argument(help="JSONL, CSV, TSV, Parquet, .txt (a text a line), or a BEIR folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the vectors go: float32 [texts, dim], .npy.")],
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="`query`, `document` or another prompt of the model.")
    ] = None,
    instruction: Annotated[str, typer.Option("--instruction", help="What stands for {task} in the prompt.")] = "",
    column: Annotated[str, typer.Option("--column", help="The column of the texts; auto: found by its name.")] = "auto",
    dim: Annotated[int | None, typer.Option("--dim", help="Keep the first DIM numbers of each vector.")] = None,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
) -> None:
    """Encode texts; their ids go into OUTPUT.ids.jsonl, row by row.

    Example: cosmith encode all-MiniLM-L6-v2 documents.jsonl --prompt document --output vectors.npy
    """
    from cosmith.atomic import atomic_file
    from cosmith.data.array_files import write_array_to
    from cosmith.recipes.artefacts import load_encoder

    if output.suffix != ".npy":
        raise InputError("is not the name of an .npy file", path=output, field="--output", remedy="End it in .npy.")
    manner = manner_of(context)
    rejected = output.with_suffix(".rejected.jsonl")
    read = texts_of(texts, column, manner, rejected=rejected)
    encoder = load_encoder(model, precision)
    require_used(instruction, prompt, encoder)
    ids = output.with_suffix(".ids.jsonl")
    # Both are opened before the work, to find out before it that they cannot be written. Vectors never stand beside the
    # ids of other texts, wherever the command is killed: when all is on the disk, the old vectors go, then the ids take
    # their name, then the vectors.
    with atomic_file(output, "wb") as handle, atomic_file(ids) as names:
        names.writelines(json.dumps({"_id": given}, ensure_ascii=False) + "\n" for given in read.ids)
        vectors = encoder.encode(
            read.texts, prompt=prompt, instruction=instruction, dim=dim, show_progress="Encoding texts"
        )
        _require_finite(vectors, read, model)
        write_array_to(handle, vectors.shape, vectors.dtype, [vectors])
        for file in (names, handle):
            file.flush()
            os.fsync(file.fileno())
        output.unlink(missing_ok=True)
    cut = report_cut(encoder, read.texts, manner, prompt=prompt, instruction=instruction)
    count, width = vectors.shape
    value = {"texts": count, "dim": width, "vectors": str(output), "ids": str(ids), "columns": read.columns, "cut": cut}
    value |= rejected_value(read.rejected, rejected)
    vectors_of = f"{counted(count, 'vector')} of {counted(width, 'number')}, of the texts{of_columns(read)}"
    manner.result(f"{vectors_of}, in {output}, ids in {ids}", value)


def _require_finite(vectors: npt.NDArray[np.float32], read: TextsRead, model: str) -> None:
    import numpy as np

    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        first = read.ids[int(finite.argmin())]
        raise InputError(
            f"the model {model} gives a vector that is not finite for the text {first!r}", path=read.path,
            remedy="Check the model's weights and its precision.",
        )  # fmt: skip
