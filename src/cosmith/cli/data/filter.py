"""`cosmith data filter`: rows or texts without what is there twice, in another language, too short, about nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cosmith.atomic import write_json_lines
from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.texts import beside, rejected_value, require_other, texts_of, warn_of_rejected
from cosmith.errors import ColumnError, InputError
from cosmith.phrases import one_line

if TYPE_CHECKING:
    from cosmith.data import TextsRead
    from cosmith.data.cleaning import Filter, Step
    from cosmith.data.cleaning.lengths import Tokenize

_HELP = "Leave out texts with fewer {}."


def filter_data(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Training rows, or texts: JSONL, CSV, TSV, Parquet, .txt, or a folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where what is kept goes, as JSON lines.")],
    kind: Annotated[
        Literal["auto", "rows", "texts"],
        typer.Option("--as", help="What the file holds; auto: rows where it has queries and answers."),
    ] = "auto",
    part: Annotated[
        Literal["both", "query", "document"], typer.Option("--part", help="What of a row is judged and compared.")
    ] = "both",
    exact_duplicates: Annotated[
        bool, typer.Option("--exact-duplicates/--keep-duplicates", help="What is there already, but for case.")
    ] = True,
    near_duplicates: Annotated[
        float | None, typer.Option("--near-duplicates", metavar="JACCARD", help="And nearly so, e.g. 0.8.")
    ] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", help="Keep these only, with commas between, e.g. en,de.")
    ] = None,
    least_confidence: Annotated[
        float, typer.Option("--least-confidence", help="How sure it has to be that it is another one.")
    ] = 0.7,
    least_characters: Annotated[int | None, typer.Option(help=_HELP.format("characters"))] = None,
    most_characters: Annotated[int | None, typer.Option(help="Or with more.")] = None,
    least_words: Annotated[int | None, typer.Option(help=_HELP.format("words"))] = None,
    most_words: Annotated[int | None, typer.Option(help="Or with more.")] = None,
    least_tokens: Annotated[int | None, typer.Option(help=_HELP.format("tokens of --model"))] = None,
    most_tokens: Annotated[int | None, typer.Option(help="Or with more.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The model whose tokens are counted.")] = None,
    boilerplate: Annotated[
        bool, typer.Option("--boilerplate", help="Remove lines that many documents have in common.")
    ] = False,
    repetition: Annotated[bool, typer.Option("--repetition", help="Texts that repeat themselves.")] = False,
    symbols: Annotated[bool, typer.Option("--symbols", help="Texts that are hardly language.")] = False,
    query: Annotated[str, typer.Option("--query", help="Column of the queries.")] = "auto",
    positive: Annotated[str, typer.Option("--positive", help="Column of the answers.")] = "auto",
    column: Annotated[str, typer.Option("--column", help="Column of the texts.")] = "auto",
) -> None:
    """Leave out rows or texts that nothing can be learnt from; what went, and why, is in OUTPUT.dropped.jsonl.

    Example: cosmith data filter pairs.jsonl --near-duplicates 0.8 --languages en --least-words 3 --output clean.jsonl
    """
    from cosmith.data.cleaning import filters_asked

    limits = {
        "least_characters": least_characters, "most_characters": most_characters, "least_words": least_words,
        "most_words": most_words, "least_tokens": least_tokens, "most_tokens": most_tokens,
    }  # fmt: skip
    codes = tuple(code.strip() for code in (languages or "").split(",") if code.strip())
    filters = filters_asked(
        boilerplate=boilerplate, lengths=limits, languages=codes, least_confidence=least_confidence,
        repetition=repetition, symbols=symbols, exact_duplicates=exact_duplicates, near_duplicates=near_duplicates,
    )  # fmt: skip
    if not filters:
        raise InputError("nothing is asked of the data", remedy="Say what to leave out, e.g. --near-duplicates 0.8.")
    require_other(output, path)
    manner = manner_of(context)
    tokenize = _tokenize(model, least_tokens is not None or most_tokens is not None)
    if _holds_rows(path, kind, query, positive):
        _filter_rows(context, path, output, filters, part, tokenize, query, positive, manner)
    else:
        _filter_texts(path, output, filters, tokenize, column, manner)


def _filter_rows(
    context: typer.Context, path: Path, output: Path, filters: list[Filter], part: Any, tokenize: Tokenize | None,
    query: str, positive: str, manner: Manner,
) -> None:  # fmt: skip
    import numpy as np

    from cosmith.cli.data.card import write_card
    from cosmith.data import Source, open_rows, reasons, write_rejected, write_rows
    from cosmith.data.cleaning import clean_rows, dropped_rows

    file = open_rows(path, query=query, positive=positive)
    names = ", ".join(f"{each} {name!r}" for each, name in file.columns.items())
    manner.note(f"columns ({file.format}): {names}")
    for note in file.notes:
        manner.warn(note)
    source = Source.from_rows("rows", file)
    rejected_file, dropped_file = beside(output, ".rejected.jsonl"), beside(output, ".dropped.jsonl")
    write_rejected(rejected_file, file.rejected)
    warn_of_rejected(file.rejected, rejected_file, manner)
    cleaned = clean_rows(source, filters, part=part, tokenize=tokenize)
    write_json_lines(dropped_file, dropped_rows(source, cleaned.dropped))
    kept = np.zeros(len(source), dtype=np.bool_)
    kept[cleaned.numbers] = True
    write_rows(output, cleaned.source.rows(), compress(file.rest(), kept.tolist()))
    value = {"rows": len(source), "kept": len(cleaned.source), "output": str(output), "dropped_file": str(dropped_file)}
    _tell(manner, cleaned.describe(), cleaned.steps, value | rejected_value(file.rejected, rejected_file))
    write_card(
        context, cleaned.source, output, manner, inputs=[path], counts=value, dropped=reasons(file.rejected),
        steps=[step.describe() for step in cleaned.steps], told=file.notes,
    )  # fmt: skip


def _filter_texts(
    path: Path, output: Path, filters: list[Filter], tokenize: Tokenize | None, column: str, manner: Manner
) -> None:
    from dataclasses import asdict

    from cosmith.data.cleaning import clean_records

    rejected_file, dropped_file = beside(output, ".rejected.jsonl"), beside(output, ".dropped.jsonl")
    read = texts_of(path, column, manner, rejected=rejected_file)
    records = _whole_records(read)
    cleaned, left = clean_records(records, filters, tokenize=tokenize)
    dropped = ({**records[number], **asdict(fault)} for number, fault in cleaned.dropped.items())
    write_json_lines(dropped_file, dropped)
    write_json_lines(output, left)
    value = {"texts": len(records), "kept": len(left), "output": str(output), "dropped_file": str(dropped_file)}
    _tell(manner, cleaned.describe(), cleaned.steps, value | rejected_value(read.rejected, rejected_file))


def _tell(manner: Manner, lines: list[str], steps: Iterable[Step], value: Mapping[str, Any]) -> None:
    from dataclasses import asdict

    shown = [
        f"e.g. {step.name}: {one_line(each.text, 70)} ({one_line(each.evidence, 60)})"
        for step in steps
        for each in step.examples[:1]
    ]
    told = [*lines, *shown, f"kept: {value['output']}; left out, with reasons: {value['dropped_file']}"]
    manner.result("\n".join(told), {**value, "steps": [asdict(step) for step in steps]})


def _holds_rows(path: Path, kind: str, query: str, positive: str) -> bool:
    from cosmith.data import open_rows

    if kind != "auto":
        return kind == "rows"
    if (path / "corpus.jsonl").is_file():
        return False
    try:
        open_rows(path, query=query, positive=positive)
    except ColumnError:
        if (query, positive) != ("auto", "auto"):
            raise
        return False
    return True


def _whole_records(read: TextsRead) -> list[dict[str, Any]]:
    """The texts that were read with all that stands beside them: sections and links of documents, where chunks are
    from; of files that no program of ours has written, with their ids and titles."""
    from cosmith.data.documents import document_values, is_document_folder, read_documents

    records: list[dict[str, Any]] = [
        {"_id": name, **({"title": title} if title else {}), "text": text}
        for name, title, text in zip(read.ids, read.titles, read.bodies, strict=True)
    ]
    if is_document_folder(read.path):
        found = list(map(document_values, read_documents(read.path)))
    elif read.path.suffix == ".jsonl":
        try:
            with read.path.open(encoding="utf-8") as lines:
                found = [json.loads(line) for line in lines]
        except ValueError:  # there are lines that were put aside
            return records
    else:
        return records
    named = all(isinstance(value, dict) and "text" in value and "_id" in value for value in found)
    ids = [str(value["_id"]) for value in found] if named else []
    return found if ids == read.ids else records


def _tokenize(model: str | None, needed: bool) -> Tokenize | None:
    if not needed:
        return None
    if model is None:
        raise InputError("a length in tokens needs a model to count them", field="--model", remedy="Name one.")
    from cosmith.recipes.artefacts import load_encoder

    return load_encoder(model, "auto").tokenize
