"""`cosmith data chunk`: documents in parts that a model reads whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.texts import beside, rejected_value, texts_of
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmith.data import Rejected
    from cosmith.data.chunking import TextMeasure
    from cosmith.data.documents import Document, DocumentFiles


_WORDS = 256  # of a chunk, where neither a number nor a model is said


def chunk(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(help="A folder of documents, one document, or a file of texts (JSONL, CSV, TSV, Parquet)."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the chunks go: JSON lines.")],
    how: Annotated[str, typer.Option("--how", help="sections, sentences or tokens.")] = "sections",
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="The most tokens of a chunk. Default: the model's, else 256.")
    ] = None,
    overlap: Annotated[int, typer.Option("--overlap", help="Tokens of a chunk that the next one repeats.")] = 0,
    model: Annotated[
        str | None, typer.Option("--model", help="The model whose tokens are counted. Default: words are.")
    ] = None,
    pattern: Annotated[
        list[str] | None, typer.Option("--pattern", help="Which files, e.g. 'docs/*.md'; may be given again.")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option("--format", help="Which formats, e.g. markdown; may be given again.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="Of a file of texts: the column of the text.")] = "auto",
) -> None:
    """Cut documents along their sections, sentences or tokens; every chunk says where it stands.

    Example: cosmith data chunk handbook --output chunks.jsonl --model all-MiniLM-L6-v2
    """
    from cosmith.data import write_rejected
    from cosmith.data.chunking import Chunking, chunk_documents, write_chunks
    from cosmith.data.documents import read_documents

    manner = manner_of(context)
    rejected_file = beside(output, ".rejected.jsonl")
    words = _WORDS if tokens is None and model is None else tokens
    try:
        chunking = Chunking(how, words, overlap)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(error.problem, field=f"--{error.field}", remedy=error.remedy) from error
    measure = None if model is None else _measure(model)
    files: DocumentFiles | None = None
    documents: Iterable[Document]
    rejected: list[Rejected]
    if _is_table(path):
        if pattern or format:
            raise InputError("is for folders of documents", field="--pattern" if pattern else "--format",
                             remedy="Leave it out.")  # fmt: skip
        documents, rejected = _documents_of(path, column, manner, rejected_file)
    else:
        documents = files = read_documents(path, patterns=pattern, formats=format)
        rejected = files.rejected
    count = write_chunks(output, chunk_documents(documents, chunking, measure))
    value: dict[str, Any] = {"chunks": count, "output": str(output)}
    told = f"{counted(count, 'chunk')} in {output}"
    if files is not None:
        write_rejected(rejected_file, rejected)
        value |= {"documents": files.formats.total(), "formats": files.formats, "passed_over": files.passed_over}
        manner.note(files.describe())
        if rejected:
            manner.warn(f"{rejected[0].path}: {rejected[0].reason}; all that cannot be read are in {rejected_file}")
    manner.result(told, value | rejected_value(rejected, rejected_file))


def _is_table(path: Path) -> bool:
    """Whether a file holds many texts rather than one."""
    return path.is_file() and bool({".jsonl", ".csv", ".tsv", ".parquet", ".gz"} & {path.suffix.lower()})


def _documents_of(
    path: Path, column: str, manner: Manner, rejected_file: Path
) -> tuple[Iterable[Document], list[Rejected]]:
    """The texts of a file as documents, with their sections where the file says them."""
    from cosmith.data.documents import Document, load_documents
    from cosmith.data.tabular import open_table

    if path.suffix.lower() == ".jsonl" and "sections" in open_table(path).columns:
        return load_documents(path), []
    read = texts_of(path, column, manner, rejected=rejected_file)
    parts = zip(read.ids, read.texts, read.bodies, read.titles, strict=True)
    return [
        Document(name, body, title) if body else Document(name, text) for name, text, body, title in parts
    ], read.rejected


def _measure(model: str) -> TextMeasure:
    from cosmith.recipes.artefacts import load_encoder

    return load_encoder(model, "float32").measure()
