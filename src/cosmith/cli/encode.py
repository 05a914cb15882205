"""`cosmith encode`: texts of a file to vectors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.engines import AddressOption, EngineOption, WorkersOption, engine_of
from cosmith.cli.manner import manner_of
from cosmith.cli.runtimes import RuntimeOption
from cosmith.cli.texts import beside, of_columns, rejected_value, report_cut, require_used, texts_of
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.retrieval.vectors import Vectors

_ROWS = 65_536  # vectors copied into the array at a time


def encode(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    texts: Annotated[Path, typer.Argument(help="JSONL, CSV, TSV, Parquet, .txt (a text a line), or a BEIR folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the vectors go: an .npy file, or a new folder.")
    ],
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="`query`, `document` or another prompt of the model.")
    ] = None,
    instruction: Annotated[str, typer.Option("--instruction", help="What stands for {task} in the prompt.")] = "",
    column: Annotated[str, typer.Option("--column", help="The column of the texts; auto: found by its name.")] = "auto",
    dim: Annotated[int | None, typer.Option("--dim", help="Keep the first DIM numbers of each vector.")] = None,
    precision: Annotated[
        str, typer.Option("--precision", help="auto, float32 or bf16; of an exported folder one of its forms.")
    ] = "auto",
    runtime: RuntimeOption = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Encode texts.

    An OUTPUT that ends in .npy is one array, float32 [texts, dim]; the ids go into OUTPUT.ids.jsonl, row by row. Any
    other is a folder of Parquet files with the columns _id and vector. Interrupted, the same command goes on.

    Example: cosmith encode all-MiniLM-L6-v2 documents.jsonl --prompt document --output vectors.npy
    """
    from cosmith.data.texts import TextTable
    from cosmith.models.similarity import similarity_of
    from cosmith.recipes.artefacts import load_reading_encoder
    from cosmith.retrieval.vectors import Encoding, encode_in_shards, write_vectors

    if output.suffix not in ("", ".npy"):
        raise InputError("is neither the name of an .npy file nor that of a folder", path=output, field="--output",
                         remedy="End it in .npy, or in nothing.")  # fmt: skip
    manner = manner_of(context)
    makes = engine_of(engine, address, workers)
    rejected = output.with_suffix(".rejected.jsonl")
    read = texts_of(texts, column, manner, rejected=rejected)
    encoder = load_reading_encoder(model, precision, runtime=runtime)
    require_used(instruction, prompt, encoder)
    if (similarity := similarity_of(encoder)) != "cosine":
        manner.warn(f"{encoder.name} is compared by {similarity}; the vectors written are of length one")
    table, numbers = TextTable.from_texts(read.texts)
    encoding = Encoding(encoder, table, numbers, "texts", prompt, instruction, dim)
    width = dim or encoder.dimension
    told: dict[str, object] = {"vectors": str(output)}
    if output.suffix == ".npy":
        shards = beside(output, ".shards")
        ids = output.with_suffix(".ids.jsonl")
        _write_array_and_ids(output, ids, read.ids, width, lambda: encode_in_shards(encoding, shards, makes))
        shutil.rmtree(shards, ignore_errors=True)
        told["ids"], where = str(ids), f"{output}, ids in {ids}"
    else:
        files = write_vectors(encoding, read.ids, output, makes)
        where = f"{counted(len(files), 'file')} in {output}"
    cut = report_cut(encoder, read.texts, manner, prompt=prompt, instruction=instruction)
    count = len(read.texts)
    value = {"texts": count, "dim": width, **told, "columns": read.columns, "cut": cut, "compared_by": similarity}
    value |= rejected_value(read.rejected, rejected)
    vectors_of = f"{counted(count, 'vector')} of {counted(width, 'number')}, of the texts{of_columns(read)}"
    manner.result(f"{vectors_of}, in {where}", value)


def _write_array_and_ids(
    output: Path, ids: Path, names: Sequence[str], width: int, encoded: Callable[[], Vectors]
) -> None:
    """Write vectors as one array, with a file of their ids beside it.

    Both are opened before the work, to find out before it that they cannot be written. Vectors never stand beside the
    ids of other texts, wherever the command is killed: when all is on the disk, the old vectors go, then the ids take
    their name, then the vectors.
    """
    from cosmith.atomic import atomic_file
    from cosmith.data.array_files import write_array_to

    with atomic_file(output, "wb") as handle, atomic_file(ids) as lines:
        lines.writelines(json.dumps({"_id": each}, ensure_ascii=False) + "\n" for each in names)
        vectors, count = encoded(), len(names)
        parts = (vectors.part(slice(start, min(start + _ROWS, count))) for start in range(0, count, _ROWS))
        write_array_to(handle, (count, width), "<f4", parts)
        for file in (lines, handle):
            file.flush()
            os.fsync(file.fileno())
        output.unlink(missing_ok=True)
