"""`cosmith data inspect`: what is in a set of rows or texts, before anything is made of it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.manner import manner_of, table
from cosmith.errors import ColumnError
from cosmith.phrases import counted, one_line, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmith.data import Part, Survey
    from cosmith.data.ragged import Int32
    from cosmith.data.tallies import Measure

_BAR = 40  # characters of the longest bar
_MARK = " ← cut from here"


def inspect(
    context: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            help="A file of rows or texts, a folder of such files, of documents, of `datasets`, BEIR or MS MARCO"
            " (FOLDER:SPLIT says which split), or hf:OWNER/NAME[:CONFIGURATION][:SPLIT]."
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Count in this model's tokens, and say what it would cut off.")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", help="A test set, to look for its texts here; may be repeated.")
    ] = None,
    query: Annotated[str, typer.Option("--query", help="The column of the queries.")] = "auto",
    positive: Annotated[str, typer.Option("--positive", help="The column of the answers.")] = "auto",
    negative: Annotated[
        list[str] | None, typer.Option("--negative", help="A column of non-answers; may be repeated.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of texts, where there are no rows.")] = "auto",
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="Texts looked at for languages and near duplicates.")
    ] = 5000,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with charts there.")] = None,
) -> None:
    """Say what is in a data set: columns, counts, lengths, languages, duplicates, bad rows, what a test set shares.

    Example: cosmith data inspect pairs.jsonl --model all-MiniLM-L6-v2 --against my-beir-folder --html pairs.html
    """
    from cosmith.data import survey

    measure, limit = (None, None) if model is None else _reading(model)
    try:
        found = survey(
            path, query=query, positive=positive, negative=negative or "auto", column=column,
            against=against or (), measure=measure, limit=limit, sample=sample,
        )  # fmt: skip
    except ColumnError as error:
        raise error.told_as(f"--{error.field}", f"--{error.field} ") from error
    manner = manner_of(context)
    if html is not None:
        from cosmith.inspection import write_survey_page

        write_survey_page(html, found, model)
        manner.note(f"page: {quote(str(html))}")
    manner.result("\n".join(survey_lines(found, model)), found.to_dict() | {"model": model})


def _reading(model: str) -> tuple[Measure, int]:
    """How a model counts tokens, its prompts included, and how many it reads."""
    from cosmith.models import Encoder

    encoder = Encoder.load(model)

    def measure(texts: Sequence[str], role: str) -> Int32:
        return encoder.tokenize(texts, prompt="query" if role == "query" else "document").full_lengths

    return measure, encoder.max_length


def survey_lines(found: Survey, model: str | None) -> list[str]:
    """What was found, for a terminal."""
    noun = "text" if [part.role for part in found.parts] == ["text"] else "row"
    again = f", {found.repeated_rows:,} of them the same as an earlier one"
    repeated = again if found.repeated_rows else ", each different"
    lines = [f"{found.path}: {found.format}", f"{counted(found.rows, noun)} that can be used{repeated}"]
    if found.columns:
        lines.append("columns: " + ", ".join(f"{part} {name!r}" for part, name in found.columns.items()))
    for part in found.parts:
        lines += ["", *_part_lines(part, found, model)]
    if found.rejected:
        total = sum(kind.count for kind in found.rejected)
        lines += ["", f"{counted(total, noun)} that cannot be used:"]
        for kind in found.rejected:
            where = _places([(row.path, row.line) for row in kind.first], found.path)
            more = ", …" if kind.count > len(kind.first) else ""
            lines.append(f"  {kind.count:,} × {kind.reason} ({where}{more})")
    for shared in found.shared:
        lines += ["", f"{shared.test}: {shared.shared:,} of its {shared.texts:,} {shared.role} stand here too"]
        lines += [f"  e.g. {one_line(text, 80)}" for text in shared.examples[:3]]
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _places(places: Sequence[tuple[str, int]], path: str) -> str:
    """``lines 3, 8``; of a folder with the file of each."""
    if all(Path(file) == Path(path) for file, _ in places):
        return f"line{'s' * (len(places) > 1)} " + ", ".join(f"{line:,}" for _, line in places)
    return ", ".join(f"{file}:{line}" for file, line in places)


def _part_lines(part: Part, found: Survey, model: str | None) -> list[str]:
    from cosmith.data.cleaning import shown_language

    unit = found.unit
    again = part.texts - part.distinct
    plural = {"query": "queries"}.get(part.role, part.role + "s")
    middle, high, most = part.quantile(0.5), part.quantile(0.95), part.quantile(1)
    lines = [
        f"{counted(part.texts, part.role, plural)}, {part.distinct:,} different ({share(again / part.texts)} repeated);"
        f" {unit}: half have at most {middle:,}, 95 % at most {high:,}, all at most {most:,}"
    ]
    highest = max((count for _, _, count in part.histogram()), default=0)
    rows = []
    for low, high, count in part.histogram():
        bar = "█" * round(_BAR * count / highest) or ("▏" if count else "")
        mark = _MARK if part.limit is not None and low <= part.limit + 1 <= high else ""
        rows.append(
            [
                f"{low:,}–{high:,}" if low < high else f"{low:,}",
                f"{count:,}",
                (bar.ljust(_BAR) + mark).ljust(_BAR + len(_MARK)),
            ]
        )
    lines += table([unit, plural, ""], rows, indent="  ").splitlines()
    if part.limit is not None:
        lines.append(
            f"  {model} reads {part.limit:,} tokens: it cuts {part.overlong_count:,} of them"
            f" ({share(part.overlong_count / part.texts)}), and {share(part.cut / max(part.total, 1))} of all tokens"
        )
    elif part.overlong_count:
        lines.append(f"  {part.overlong_count:,} of them have over 100,000 characters")
    if part.overlong:
        longest = _places([(text.path, text.line) for text in part.overlong], found.path)
        lines.append(f"  too long: {longest}" + (", …" if part.overlong_count > len(part.overlong) else ""))
    if part.languages:
        shown = list(part.languages.items())[:6]
        told = ", ".join(f"{shown_language(name)} {share(count / part.sampled)}" for name, count in shown)
        of = "all" if part.sampled == part.texts else f"{part.sampled:,} drawn by chance"
        lines.append(f"  languages (of {of}): {told}")
    if part.compared:
        of = " different ones" if part.sampled == part.texts else f" different ones of {part.sampled:,} drawn by chance"
        lines.append(f"  nearly the same as an earlier one: {part.near_duplicates:,} of {part.compared:,}{of}")
    return lines
