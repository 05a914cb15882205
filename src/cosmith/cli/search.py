"""`cosmith index` and `cosmith search`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.engines import AddressOption, EngineOption, WorkersOption, engine_of
from cosmith.cli.manner import first_code_lines, manner_of
from cosmith.cli.options import told_by_option
from cosmith.cli.runtimes import PrecisionOption, RuntimeOption
from cosmith.cli.texts import (
    beside,
    model_reference,
    of_columns,
    rejected_value,
    report_cut,
    require_used,
    texts_of,
    warn_of_cut,
)
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.data.chunking import Chunking
    from cosmith.retrieval.compressed import SearchForm


def index(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    texts: Annotated[Path, typer.Argument(help="JSONL, CSV, TSV, Parquet, .txt (a text a line), or a BEIR folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the index.")],
    column: Annotated[
        str, typer.Option("--column", help="The column of the texts; auto: found by its name, in pairs the answer's.")
    ] = "auto",
    dim: Annotated[int | None, typer.Option("--dim", help="Keep the first DIM numbers of each vector.")] = None,
    instruction: Annotated[
        str, typer.Option("--instruction", help="What searches ask for: stands for {task} in the model's prompts.")
    ] = "",
    precision: PrecisionOption = "auto",
    runtime: RuntimeOption = "auto",
    chunk_tokens: Annotated[
        int | None,
        typer.Option("--chunk-tokens", help="Cut documents into chunks of whole sentences, of so many tokens at most."),
    ] = None,
    chunk_overlap: Annotated[
        int, typer.Option("--chunk-overlap", help="Tokens of a chunk that the next one repeats, at most.")
    ] = 0,
    form: Annotated[
        str | None,
        typer.Option("--form", help='A compressed form of the vectors, e.g. "rabitq, rescored x4 by int8".'),
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Make documents searchable by meaning; those that are cut into chunks count by their best one.

    Example: cosmith index runs/python-docs/train/model documents.jsonl --output documents.index
    """
    from cosmith.data.chunking import chunk_texts
    from cosmith.recipes.artefacts import load_reading_encoder
    from cosmith.retrieval import Index

    manner = manner_of(context)
    makes = engine_of(engine, address, workers)
    if chunk_overlap and chunk_tokens is None:
        raise InputError("is given without --chunk-tokens", field="--chunk-overlap", remedy="Say both, or neither.")
    chunking = None if chunk_tokens is None else _chunking(chunk_tokens, chunk_overlap)
    kept_as = None if form is None else _form(form)
    rejected = beside(output, ".rejected.jsonl")
    read = texts_of(texts, column, manner, rejected=rejected, part="document")
    encoder = load_reading_encoder(model, precision, runtime=runtime)
    require_used(instruction, "query", encoder)
    documents = dict(zip(read.ids, read.texts, strict=True))
    chunks = (
        None if chunking is None else list(chunk_texts(documents, chunking, encoder.measure(instruction=instruction)))
    )
    built = Index.build(
        encoder, documents, chunks=chunks, dim=dim, folder=output, model=model_reference(model),
        instruction=instruction, form=kept_as, engine=makes,
    )  # fmt: skip
    texts_read = read.texts if chunks is None else [chunk.in_context for chunk in chunks]
    cut = report_cut(encoder, texts_read, manner, prompt="document", instruction=instruction)
    value = {"documents": len(built), "dim": built.card.dim, "index": str(output), "columns": read.columns, "cut": cut}
    value |= rejected_value(read.rejected, rejected) | {"chunks": built.card.chunks}
    first, finer = built.bytes
    value |= {"form": built.card.form, "bytes": first, "finer_bytes": finer}
    count = counted(len(built), "document")
    if chunks is not None:
        count += f" in {counted(len(chunks), 'chunk')}"
    if kept_as is not None:
        told = f"{first:,.0f}" + (f" + {finer:,.0f}" if finer else "")
        count += f" ({kept_as}: {told} bytes a vector, in float32 {4 * built.card.dim:,})"
    text = f'{count}{of_columns(read)} in {output}. Search there: cosmith search {quote(str(output))} "your words"'
    manner.result(text, value)


def _form(said: str) -> SearchForm:
    from cosmith.retrieval.compressed import parse_form

    with told_by_option(dict.fromkeys(("form", "forms", "transform"), "--form")):
        return parse_form(said)


def _chunking(tokens: int, overlap: int) -> Chunking:
    from cosmith.data.chunking import Chunking

    with told_by_option({"tokens": "--chunk-tokens", "overlap": "--chunk-overlap"}):
        return Chunking("sentences", tokens, overlap)


def search(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="A folder that `cosmith index` made.")],
    queries: Annotated[list[str], typer.Argument(metavar="QUERY...", help="What to look for; each is a search.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many documents to show a query.")] = 10,
    model: Annotated[
        str | None, typer.Option("--model", help="Where the model is, if it has moved since the index was made.")
    ] = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Compare the first DIM numbers only.")] = None,
    instruction: Annotated[
        str | None, typer.Option("--instruction", help="What stands for {task} in the prompt. Default: the index's.")
    ] = None,
    reranker: Annotated[
        str | None,
        typer.Option(
            "--reranker", help="A cross-encoder, or late-interaction model, that puts what was found in order."
        ),
    ] = None,
    runtime: RuntimeOption = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="Of an exported folder: a form. auto: the one that made the index.")
    ] = "auto",
    read: Annotated[int, typer.Option("--read", min=1, help="How many found documents the reranker reads.")] = 100,
) -> None:
    """Search an index.

    Example: cosmith search runs/python-docs/index/index "read a file line by line" -k 3
    """
    from cosmith.data import Cut
    from cosmith.data.texts import text_problem
    from cosmith.models import load_pair_scorer
    from cosmith.models.loading import runs_in_torch
    from cosmith.recipes.artefacts import load_reading_encoder
    from cosmith.retrieval import Index, rerank

    manner = manner_of(context)
    for number, query in enumerate(queries, start=1):
        if problem := text_problem(query):
            raise InputError(f"query number {number} {problem}", field="QUERY", remedy="Say what to look for.")
    opened = Index.load(folder)
    # In torch, one query is encoded in float32: it takes no time, and is the same on every processor. Of an exported
    # folder, the form with which the documents were encoded is the one whose vectors can be compared with theirs, even
    # where another would be faster.
    place = model or opened.card.model
    in_torch = runs_in_torch(place, runtime)
    if not in_torch:
        was = opened.card.made_by
        runtime, precision = (was[0] if runtime == "auto" else runtime), (was[1] if precision == "auto" else precision)
    encoder = load_reading_encoder(place, "float32" if in_torch else precision, runtime=runtime)
    require_used(instruction or "", "query", encoder)
    hits = opened.search(encoder, queries, max(k, read) if reranker else k, dim=dim, instruction=instruction)
    told = opened.card.instruction if instruction is None else instruction
    cut = encoder.tokenize(queries, prompt="query", instruction=told).truncated
    warn_of_cut(encoder, [Cut.among("queries", cut, encoder.max_length)], manner)
    if reranker:
        texts = {str(name): opened.text(str(name)) for name in hits.ids.flat if name}
        hits = rerank(hits, load_pair_scorer(reranker), queries, texts, top=read, instruction=told).top(k)
    for row, query in enumerate(queries):
        spans = hits.spans_of(row)
        shown: list[dict[str, Any]] = []
        lines = [query]
        for rank, (name, score) in enumerate(hits.of(row), start=1):
            text = passage = opened.text(name)
            found: dict[str, Any] = {"id": name, "score": round(score, 6), "text": text}
            if spans is not None:
                start, stop = spans[rank - 1]
                passage = text[start:stop]
                found |= {"passage": passage, "start": start, "stop": stop}
            lines.append(f"{rank:>4}  {score:.3f}  {name}")
            lines += [f"             {line}" for line in first_code_lines(passage)]
            shown.append(found)
        manner.result("\n".join(lines) + "\n", {"query": query, "cut": bool(cut[row]), "hits": shown})
