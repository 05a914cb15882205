"""`cosmith encode`: texts of a file to vectors."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.engines import AddressOption, EngineOption, WorkersOption, engine_of
from cosmith.cli.manner import manner_of
from cosmith.cli.runtimes import PrecisionOption, RuntimeOption
from cosmith.cli.texts import beside, of_columns, rejected_value, require_used, stream_of, warn_of_cut_in
from cosmith.errors import InputError, nearest
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.retrieval.vector_shards import ShardForm, VectorFolder


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
    precision: PrecisionOption = "auto",
    runtime: RuntimeOption = "auto",
    token_counts: Annotated[
        bool, typer.Option("--token-counts", help="Keep with each id how many tokens its text has.")
    ] = False,
    shards: Annotated[
        str, typer.Option("--shards", help="Of an output that is a folder: shards as parquet, or as npy.")
    ] = "parquet",
    shard_size: Annotated[
        int, typer.Option("--shard-size", min=1, help="Texts of a shard: as many are held in memory.")
    ] = 32_768,
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Encode texts, in memory that does not grow with their number.

    An OUTPUT that ends in .npy is one array, float32 [texts, dim]; the ids go into OUTPUT.ids.jsonl, row by row, and
    what made the vectors into OUTPUT.manifest.json; an array that is there is replaced. Any other is a folder of
    Parquet files with the columns _id and vector.
    Interrupted, the same command goes on. Texts that the model does not read to the end are counted, and listed in
    OUTPUT.cut.jsonl.

    Example: cosmith encode all-MiniLM-L6-v2 documents.jsonl --prompt document --output vectors.npy
    """
    from cosmith.data.texts import TextTable
    from cosmith.models.similarity import similarity_of
    from cosmith.recipes.artefacts import load_reading_encoder
    from cosmith.retrieval.streaming import encode_stream, write_vectors
    from cosmith.retrieval.vector_shards import SHARD_FORMS
    from cosmith.retrieval.vectors import Encoding

    if output.suffix not in ("", ".npy"):
        raise InputError("is neither the name of an .npy file nor that of a folder", path=output, field="--output",
                         remedy="End it in .npy, or in nothing.")  # fmt: skip
    if shards not in SHARD_FORMS:
        raise InputError(f"there is no form {shards!r}", field="--shards", remedy=nearest(shards, SHARD_FORMS))
    as_array = output.suffix == ".npy"
    form: ShardForm = "npy" if as_array or shards == "npy" else "parquet"
    folder = beside(output, ".shards") if as_array else output
    manner = manner_of(context)
    makes = engine_of(engine, address, workers)
    rejected, listed = output.with_suffix(".rejected.jsonl"), output.with_suffix(".cut.jsonl")
    read = stream_of(texts, column, manner, rejected=rejected)
    encoder = load_reading_encoder(model, precision, runtime=runtime)
    require_used(instruction, prompt, encoder)
    if (similarity := similarity_of(encoder)) != "cosine":
        manner.warn(f"{encoder.name} is compared by {similarity}; the vectors written are of length one")

    def encoded() -> VectorFolder:
        if makes.kind == "local":
            return encode_stream(
                encoder, read.texts, folder, prompt=prompt, instruction=instruction, dim=dim, form=form,
                rows=shard_size, token_counts=token_counts, total=read.count,
            )  # fmt: skip
        ids = [name for name, _ in read.texts]
        table, numbers = TextTable.from_texts(text for _, text in read.texts)
        encoding = Encoding(encoder, table, numbers, "texts", prompt, instruction, dim, rows=shard_size)
        return write_vectors(encoding, ids, folder, makes, form=form, token_counts=token_counts)

    told: dict[str, object] = {"vectors": str(output)}
    if as_array:
        ids_file, made_file = output.with_suffix(".ids.jsonl"), output.with_suffix(".manifest.json")
        found = _write_array_and_ids(output, ids_file, made_file, read.count, dim or encoder.dimension, encoded)
        told |= {"ids": str(ids_file), "manifest": str(made_file)}
        where = f"{output}, ids in {ids_file}"
    else:
        found = encoded()
        where = f"{counted(found.shards, 'file')} in {output}"
    warn_of_cut_in(found, encoder, listed, manner)
    if as_array:
        shutil.rmtree(folder, ignore_errors=True)
    width = dim or encoder.dimension
    value = {"texts": found.texts, "dim": width, **told, "columns": read.columns, "encoded": found.encoded}
    value["compared_by"] = similarity
    value |= {"tokens": found.tokens, "cut": found.cut, "cut_file": str(listed) if found.cut else None}
    value |= rejected_value(read.rejected, rejected)
    vectors_of = f"{counted(found.texts, 'vector')} of {counted(width, 'number')}, of the texts{of_columns(read)}"
    manner.result(f"{vectors_of}, in {where}", value)


def _write_array_and_ids(
    output: Path, ids: Path, made: Path, count: int, width: int, encoded: Callable[[], VectorFolder]
) -> VectorFolder:
    """Write vectors as one array, with a file of their ids beside it, and one that says what made them.

    All are opened before the work, to find out before it that they cannot be written. Vectors never stand beside the
    ids of other texts, or what is said of other vectors, wherever the command is killed: when all is on the disk, the
    old vectors go, then what made them and the ids take their names, then the vectors.
    """
    from cosmith.atomic import atomic_file
    from cosmith.data.array_files import map_array, write_array_to

    with atomic_file(output, "wb") as handle, atomic_file(ids) as lines, atomic_file(made) as manifest:
        found = encoded()
        if found.texts != count:
            raise InputError(f"there were {count:,} texts at first, and then {found.texts:,}", field="TEXTS",
                             remedy="Let the file stand while it is read, and run it again.")  # fmt: skip
        for file in found.ids_files:
            with file.open(encoding="utf-8") as part:
                shutil.copyfileobj(part, lines)
        parts = (map_array(file, "<f4", _REMOVE) for file in found.files)
        write_array_to(handle, (found.texts, width), "<f4", parts)
        manifest.write(json.dumps(found.made(), indent=2, ensure_ascii=False) + "\n")
        for each in (manifest, lines, handle):
            each.flush()
            os.fsync(each.fileno())
        output.unlink(missing_ok=True)
    return found


_REMOVE = "Remove the folder, and its texts are encoded again."
