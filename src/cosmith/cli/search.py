"""`cosmith index` and `cosmith search`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cosmith.cli.manner import first_code_lines, manner_of
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
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
) -> None:
    """Make documents searchable by meaning.

    Example: cosmith index runs/python-docs/train/model documents.jsonl --output documents.index
    """
    from cosmith.recipes.artefacts import load_encoder
    from cosmith.retrieval import Index

    manner = manner_of(context)
    rejected = beside(output, ".rejected.jsonl")
    read = texts_of(texts, column, manner, rejected=rejected, part="document")
    encoder = load_encoder(model, precision)
    require_used(instruction, "query", encoder)
    documents = dict(zip(read.ids, read.texts, strict=True))
    built = Index.build(
        encoder, documents, dim=dim, folder=output, model=model_reference(model), instruction=instruction
    )
    cut = report_cut(encoder, read.texts, manner, prompt="document", instruction=instruction)
    value = {"documents": len(built), "dim": built.card.dim, "index": str(output), "columns": read.columns, "cut": cut}
    value |= rejected_value(read.rejected, rejected)
    count = counted(len(built), "document")
    text = f'{count}{of_columns(read)} in {output}. Search there: cosmith search {quote(str(output))} "your words"'
    manner.result(text, value)


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
    read: Annotated[int, typer.Option("--read", min=1, help="How many found documents the reranker reads.")] = 100,
) -> None:
    """Search an index.

    Example: cosmith search runs/python-docs/index/index "read a file line by line" -k 3
    """
    from cosmith.data import Cut
    from cosmith.data.texts import text_problem
    from cosmith.models import load_pair_scorer
    from cosmith.recipes.artefacts import load_encoder
    from cosmith.retrieval import Index, rerank

    manner = manner_of(context)
    for number, query in enumerate(queries, start=1):
        if problem := text_problem(query):
            raise InputError(f"query number {number} {problem}", field="QUERY", remedy="Say what to look for.")
    opened = Index.load(folder)
    # One query is encoded in float32: it takes no time, and is the same on every processor.
    encoder = load_encoder(model or opened.card.model, "float32")
    require_used(instruction or "", "query", encoder)
    hits = opened.search(encoder, queries, max(k, read) if reranker else k, dim=dim, instruction=instruction)
    told = opened.card.instruction if instruction is None else instruction
    cut = encoder.tokenize(queries, prompt="query", instruction=told).truncated
    warn_of_cut(encoder, [Cut.among("queries", cut, encoder.max_length)], manner)
    if reranker:
        texts = {str(name): opened.text(str(name)) for name in hits.ids.flat if name}
        hits = rerank(hits, load_pair_scorer(reranker), queries, texts, top=read, instruction=told).top(k)
    for row, query in enumerate(queries):
        found = [(name, score, opened.text(name)) for name, score in hits.of(row)]
        lines = [query]
        for rank, (name, score, text) in enumerate(found, start=1):
            lines.append(f"{rank:>4}  {score:.3f}  {name}")
            lines += [f"             {line}" for line in first_code_lines(text)]
        shown = [{"id": name, "score": round(score, 6), "text": text} for name, score, text in found]
        manner.result("\n".join(lines) + "\n", {"query": query, "cut": bool(cut[row]), "hits": shown})
