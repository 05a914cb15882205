"""Judgements of relevance (qrels): ``qrels/SPLIT.tsv`` of the BEIR layout, or TREC's four columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cosmith.data.lines import numbered_lines
from cosmith.data.rows import Rejected
from cosmith.errors import InputError, nearest

_COLUMNS = ("query-id", "corpus-id", "score")
_INTEGER = re.compile(r"[+-]?\d{1,9}")


def relevance_path(folder: Path, split: str) -> Path:
    """Where the judgements of a split are.

    Raises:
        InputError: When there are none; it names the splits that there are.
    """
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = sorted(other.stem for other in folder.glob("qrels/*.tsv"))
        remedy = nearest(split, there) if there else "Add it: three columns, query-id, corpus-id and score."
        raise InputError(f"there are no judgements of the split {split!r}", path=path, field="split", remedy=remedy)
    return path


def read_relevance(
    path: Path,
    documents: Mapping[str, str | None],
    queries: Mapping[str, str | None],
    bad: list[Rejected],
) -> dict[str, dict[str, int]]:
    """Read judgements: query id → document id → grade.

    The first line tells the layout: a header with the columns query-id, corpus-id and score; or, without a header,
    three columns in that order, or TREC's four (query, an unused one, document, grade; by tabs or spaces).

    Args:
        path: The file.
        documents: The documents that there are; a judgement on one that is None (put aside as empty) is put aside.
        queries: The queries, likewise.
        bad: Takes what is put aside.

    Raises:
        InputError: When a line is not a judgement, contradicts another one, or names an unknown id.
    """
    relevance: dict[str, dict[str, int]] = {}
    unknown: list[InputError] = []
    for each in judgements(path):
        known = True
        for given, table, column, file in (
            (each.query, queries, "query-id", "queries.jsonl"), (each.document, documents, "corpus-id", "corpus.jsonl")
        ):  # fmt: skip
            if given not in table:
                remedy = f"Add it to {file}, or remove the line."
                unknown.append(
                    InputError(f"{file} has no {given!r}", path=path, line=each.line, field=column, remedy=remedy)
                )
                known = False
            elif table[given] is None:
                reason = f"the {column} {given!r} names an empty text, which was put aside"
                bad.append(Rejected(each.line, reason, each.raw[:500], str(path)))
                known = False
        if known:
            relevance.setdefault(each.query, {})[each.document] = each.grade
    if unknown:
        raise _with_count(unknown)
    return relevance


@dataclass(frozen=True)
class Judgement:
    """A line of judgements.

    Attributes:
        line: Its number, counted from 1.
        raw: As it stands there.
        query: The query's id.
        document: The document's id.
        grade: How relevant it is; only above 0 it is.
    """

    line: int
    raw: str
    query: str
    document: str
    grade: int


def judgements(path: Path) -> Iterator[Judgement]:
    """The judgements of a file, one after another, in the layouts that :func:`read_relevance` knows.

    Raises:
        InputError: When a line is not a judgement, or contradicts another one.
    """
    first: dict[tuple[str, str], tuple[int, int]] = {}
    places: tuple[int, int, int] | None = None
    width = 0
    for number, line in numbered_lines(path):
        raw = line.rstrip("\r\n")
        if not raw.strip():
            continue
        fields = _fields(raw)
        if places is None:
            places, is_header = _layout(fields, path, number)
            width = len(fields)
            if is_header:
                continue
        if len(fields) != width:
            raise InputError(
                f"has {len(fields)} columns, but the first line has {width}",
                path=path,
                line=number,
                remedy="Separate query-id, corpus-id and score by tabs.",
            )
        query, document, score = fields[places[0]], fields[places[1]], fields[places[2]].strip()
        if not _INTEGER.fullmatch(score):
            remedy = "Give 1 (or a higher grade) for relevant, 0 for not relevant."
            raise InputError(f"{score!r} is not a whole number", path=path, line=number, field="score", remedy=remedy)
        grade, line_of_first = first.setdefault((query, document), (int(score), number))
        if grade != int(score):
            raise InputError(
                f"query {query!r} and document {document!r} have another score on line {line_of_first}",
                path=path,
                line=number,
                field="score",
                remedy="Remove one of the two lines.",
            )
        yield Judgement(number, raw, query, document, grade)
    if places is None:
        raise InputError("holds blank lines only", path=path, remedy="Give a file that holds judgements.")


def _fields(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else line.split()


def _layout(fields: list[str], path: Path, number: int) -> tuple[tuple[int, int, int], bool]:
    """Where query, document and score stand, and whether the line is a header."""
    if not _is_number(fields[-1]):  # the last field of a judgement is its score
        names = [name.strip().lower().replace("_", "-") for name in fields]
        for column in _COLUMNS:
            if column not in names:
                raise InputError(
                    f"has no column {column!r}; its header: {', '.join(map(repr, fields))}",
                    path=path,
                    line=number,
                    field=column,
                    remedy="Begin the file with: query-id, corpus-id, score, separated by tabs.",
                )
        return (names.index(_COLUMNS[0]), names.index(_COLUMNS[1]), names.index(_COLUMNS[2])), True
    if len(fields) == 3:
        return (0, 1, 2), False
    if len(fields) == 4:
        return (0, 2, 3), False
    raise InputError(
        f"has {len(fields)} columns",
        path=path,
        line=number,
        remedy="Separate query-id, corpus-id and score by tabs.",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_count(unknown: list[InputError]) -> InputError:
    """The first of several errors, saying how many there are."""
    first = unknown[0]
    if len(unknown) == 1:
        return first
    problem = f"{first.problem} (and {len(unknown) - 1} more unknown ids)"
    return InputError(problem, path=first.path, line=first.line, field=first.field, remedy=first.remedy)
