"""`cosmith data chunk`: documents in parts that a model reads whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.texts import beside, documents_of, rejected_value, require_other, warn_of_rejected
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.data.chunking import TextMeasure
    from cosmith.data.documents import Document
    from cosmith.data.records_file import RecordsFile


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
    from cosmith.data.documents import DocumentFiles, read_documents, with_text

    require_other(output, path)
    manner = manner_of(context)
    rejected_file = beside(output, ".rejected.jsonl")
    words = _WORDS if tokens is None and model is None else tokens
    with told_by_option(options_of("how", "tokens", "overlap")):
        chunking = Chunking(how, words, overlap)  # type: ignore[arg-type]
    measure = None if model is None else _measure(model)
    # A .txt is a text a line where texts are wanted whole; to be cut it is one text.
    if path.is_file() and path.suffix.lower() == ".txt":
        documents: RecordsFile[Document] | DocumentFiles = read_documents(path, patterns=pattern, formats=format)
    else:
        documents = documents_of(path, column, patterns=pattern, formats=format)
    count = write_chunks(output, chunk_documents(map(with_text, documents), chunking, measure))
    value: dict[str, Any] = {"chunks": count, "output": str(output)}
    write_rejected(rejected_file, documents.rejected)
    if isinstance(documents, DocumentFiles):
        value |= {
            "documents": documents.formats.total(),
            "formats": documents.formats,
            "passed_over": documents.passed_over,
        }
        manner.note(documents.describe())
        for first in documents.rejected[:1]:
            manner.warn(f"{first.path}: {first.reason}; all that cannot be read are in {rejected_file}")
    else:
        warn_of_rejected(documents.rejected, rejected_file, manner)
    told = f"{counted(count, 'chunk')} in {output}"
    manner.result(told, value | rejected_value(documents.rejected, rejected_file))


def _measure(model: str) -> TextMeasure:
    from cosmith.recipes.artefacts import load_encoder

    return load_encoder(model, "float32").measure()
