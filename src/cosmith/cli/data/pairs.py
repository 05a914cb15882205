"""`cosmith data pairs`: training pairs of documents, clicks and threads, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.data.pair_forms import form_lines
from cosmith.cli.manner import manner_of
from cosmith.cli.texts import beside, documents_of, rejected_value, require_other, warn_of_rejected
from cosmith.errors import InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.data import Rejected


def pairs(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the pairs go, as JSON lines.")],
    documents: Annotated[
        Path | None,
        typer.Argument(help="A folder of documents, a table or .txt (a document a row), or a BEIR folder."),
    ] = None,
    forms: Annotated[
        str | None,
        typer.Option(
            "--forms",
            help="Names with commas between: title, heading, question, forum, first-sentence, docstring,"
            " inverse-cloze, neighbours, anchor, co-clicked. What two find, the one named first has. Default:"
            " title,first-sentence for documents, forum for threads, co-clicked for clicks.",
        ),
    ] = None,
    threads: Annotated[
        Path | None, typer.Option("--threads", help="Threads with answers (JSONL, Parquet), for the form forum.")
    ] = None,
    clicks: Annotated[
        Path | None, typer.Option("--clicks", help="A click log (query, document, action), for the form co-clicked.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of the text; auto: found by its name.")] = "auto",
    shortest_document: Annotated[
        int, typer.Option("--shortest-document", min=1, help="Characters of what is found.")
    ] = 40,
    most_shared: Annotated[
        int, typer.Option("--most-shared", min=1, help="Documents that may share a query; more, and it is left out.")
    ] = 3,
    most_per_document: Annotated[
        int, typer.Option("--most-per-document", min=1, help="Pairs of a document, of forms named earlier first.")
    ] = 16,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses what is drawn.")] = 0,
) -> None:
    """Make training pairs of what goes together in documents: no labels, no language model.

    Example: cosmith data pairs documents.jsonl --forms title,heading --output pairs.jsonl
    """
    from cosmith.atomic import write_json_lines
    from cosmith.cli.data.card import write_card
    from cosmith.data import PairLimits, Source, read_clicks, reasons, weak_pairs, write_rejected
    from cosmith.data.documents import DocumentFiles
    from cosmith.data.weak_supervision import form_named, open_threads

    require_other(output, documents, threads, clicks)
    manner = manner_of(context)
    rejected_file = beside(output, ".rejected.jsonl")
    read = None if documents is None else documents_of(documents, column)
    posts = None if threads is None else open_threads(threads)
    log = None if clicks is None else read_clicks(clicks)
    default = ["title", "first-sentence"] if read is not None else []
    default += [name for name, given in (("forum", posts), ("co-clicked", log)) if given is not None]
    if not default:
        raise InputError("neither documents nor threads nor clicks are given", remedy="Name a file or a folder.")
    named = default if forms is None else [name.strip() for name in forms.split(",")]
    try:
        found = weak_pairs(
            () if read is None else read,
            [form_named(name, seed=seed) for name in named],
            limits=PairLimits(shortest_document, most_shared, most_per_document),
            threads=posts,
            clicks=None if log is None else log.clicks,
            folder=None,
        )
    except InputError as error:
        options = {"forms": "--forms", "threads": "--threads", "clicks": "--clicks", "texts": None}
        field = options.get(error.field or "", error.field)
        raise InputError(error.problem, path=error.path, line=error.line, field=field, remedy=error.remedy) from error
    rows = (
        {"query": pair.query, "positive": pair.positive, "group": pair.document, "document_group": pair.document,
         "form": pair.form, "origin": pair.origin}
        for pair in found.pairs
    )  # fmt: skip
    write_json_lines(output, rows)
    rejected: list[Rejected] = [row for each in (read, posts, log) if each is not None for row in each.rejected]
    write_rejected(rejected_file, rejected)
    warn_of_rejected(rejected, rejected_file, manner)
    counts = {name: asdict(each) for name, each in found.counts.items()}
    examples = [
        {"form": name, "query": pair.query, "document": pair.positive}
        for name, some in found.examples.items()
        for pair in some
    ]
    if isinstance(read, DocumentFiles):
        manner.note(read.describe())
    of = "" if read is None else f" of {counted(found.documents, 'document')}"
    told = f"{counted(len(found), 'pair')}{of}, in {output}"
    value = {"pairs": len(found), "documents": found.documents, "output": str(output), "forms": counts,
             "examples": examples, **rejected_value(rejected, rejected_file)}  # fmt: skip
    manner.result("\n".join([told, *form_lines(counts, examples)]), value)
    if len(found):
        with TemporaryDirectory(dir=output.parent) as place:
            source = Source.write(Path(place) / "rows", output.stem, found.rows)
            write_card(
                context, source, output, manner, inputs=[documents, threads, clicks], counts=value,
                dropped=reasons(rejected), told=list(map(_told, counts, counts.values())), samples=examples,
            )  # fmt: skip


def _told(form: str, counts: Mapping[str, Any]) -> str:
    """What came of a form, in one line."""
    left = ", ".join(f"{reason} {number:,}" for reason, number in counts["dropped"].items())
    said = f"{form}: {counted(counts['candidates'], 'candidate')}, {counted(counts['kept'], 'pair')}"
    return said + (f"; left out: {left}" if left else "")
