"""Training rows of documents, queries and what joins them by their ids: BEIR folders and the files of MS MARCO.

In memory are 32 bytes for each document and query, where its line is, and 32 for each judgement; triples of ids are not
held at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from cosmith.data.line_texts import LineTexts, Parse, json_text, tsv_text
from cosmith.data.lines import lines_of
from cosmith.data.ragged import Int64
from cosmith.data.record_values import shown
from cosmith.data.rows import Rejected, RejectedRows, TrainingRow
from cosmith.errors import InputError, nearest

Meaning = Callable[[list[str]], list[str] | str]
"""The fields of a line in order, or why they mean nothing."""

Judged = tuple[int, TrainingRow]
_BLOCK = 1 << 15  # judgements that are looked up together


@dataclass(frozen=True)
class JudgedFiles:
    """The three files.

    Attributes:
        documents: An id and a text a line: JSON lines as BEIR has them, or TSV as MS MARCO has it.
        queries: Likewise.
        judgements: Which documents answer which query: BEIR's ``query-id, corpus-id, score``, TREC's four columns, or
            triples of the ids of a query, a document that answers it and one that does not (the name has ``triple``).
        format: What they are, in words.
    """

    documents: Path
    queries: Path
    judgements: Path
    format: str

    @property
    def columns(self) -> dict[str, str]:
        """Which file plays which part."""
        return {"query": self.queries.name, "document": self.documents.name, "positive": self.judgements.name}


def judged_files(folder: Path, split: str | None) -> JudgedFiles | None:
    """The files of a folder in the layout of BEIR or MS MARCO; None where it has neither.

    Args:
        folder: The folder.
        split: Which judgements; None for those called train, or the only ones.

    Raises:
        InputError: There are several, none is called train, and none is asked for; or there is none of this name.
    """
    corpus, queries = folder / "corpus.jsonl", folder / "queries.jsonl"
    if corpus.is_file() and queries.is_file():
        found = {path.name.split(".")[0]: path for path in sorted((folder / "qrels").glob("*.tsv"))}
        judgements = found[_chosen(folder, list(found), split)]
        return JudgedFiles(corpus, queries, judgements, f"a BEIR folder, the judgements {judgements.stem!r}")
    collections = _tables(folder, "collection") or _tables(folder, "corpus")
    asked = _tables(folder, "queries")
    if not collections or not asked:
        return None
    found = {_split_name(path): path for path in [*_tables(folder, "qrels"), *_tables(folder, "qidpid")]}
    name = _chosen(folder, list(found), split)
    of_split = [path for path in asked if _split_name(path) == name] or asked[:1]
    return JudgedFiles(collections[0], of_split[0], found[name], f"MS MARCO's files, the judgements {name!r}")


def judged_rows(files: JudgedFiles, bad: RejectedRows) -> Iterator[tuple[Path, int, TrainingRow]]:
    """The rows, of each query with all its judgements or of each triple, with the file and line where each begins.

    A query's positives are the documents judged above 0, the best first; its negatives those judged 0 or below.

    Args:
        files: The files.
        bad: Takes the lines of all three that cannot be used: an unknown id, an empty text, a score that is none.

    Raises:
        InputError: A file is missing, empty, not UTF-8, or no row can be used.
    """
    documents = LineTexts(files.documents, _parse(files.documents), bad)
    queries = LineTexts(files.queries, _parse(files.queries), bad)
    triples = "triple" in files.judgements.name.lower()
    read = _triples if triples else _queries
    none = True
    for line, row in read(files.judgements, documents, queries, bad):
        none = False
        yield files.judgements, line, row
    if none:
        raise InputError(
            "holds no line that joins a query with a document",
            path=files.judgements,
            remedy="Give the judgements of these documents and queries.",
        )


def _triples(path: Path, documents: LineTexts, queries: LineTexts, bad: RejectedRows) -> Iterator[Judged]:
    for block in _batched(_fields(path, bad, _triple)):
        columns = [[fields[place] for _, fields in block] for place in range(3)]
        found = [queries.entries(columns[0]), documents.entries(columns[1]), documents.entries(columns[2])]
        for (number, fields), entries in zip(block, np.stack(found, axis=1).tolist(), strict=True):
            if (missing := _missing(fields, entries, (queries, documents, documents))) is not None:
                bad.append(Rejected(number, missing, "\t".join(fields)[:500], str(path)))
                continue
            query, positive, negative = entries
            row = TrainingRow(queries.text(query), (documents.text(positive),), (documents.text(negative),))
            yield number, row


def _queries(path: Path, documents: LineTexts, queries: LineTexts, bad: RejectedRows) -> Iterator[Judged]:
    asked, judged, grades, lines = array("q"), array("q"), array("q"), array("q")
    for block in _batched(_fields(path, bad, _judgement)):
        found = [queries.entries([fields[0] for _, fields in block]),
                 documents.entries([fields[1] for _, fields in block])]  # fmt: skip
        for (number, fields), entries in zip(block, np.stack(found, axis=1).tolist(), strict=True):
            if (missing := _missing(fields, entries, (queries, documents))) is not None:
                bad.append(Rejected(number, missing, "\t".join(fields)[:500], str(path)))
                continue
            asked.append(entries[0])
            judged.append(entries[1])
            grades.append(int(fields[2]))
            lines.append(number)
    for members in _together(np.array(asked, dtype=np.int64)):
        best: dict[int, int] = {}
        for place in members.tolist():
            best[judged[place]] = max(grades[place], best.get(judged[place], grades[place]))
        positives = [entry for entry in sorted(best, key=lambda entry: -best[entry]) if best[entry] > 0]
        first = int(members[0])
        if not positives:
            bad.append(Rejected(lines[first], "no document is relevant to its query", "", str(path)))
            continue
        negatives = [entry for entry in best if best[entry] <= 0]
        texts = tuple(map(documents.text, positives)), tuple(map(documents.text, negatives))
        yield lines[first], TrainingRow(queries.text(asked[first]), *texts)


def _together(keys: Int64) -> Iterator[Int64]:
    """The places of equal keys, in the order of the first of them."""
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    ends = np.append(begins[1:], len(keys))
    for group in np.argsort(order[begins], kind="stable").tolist():
        yield order[begins[group] : ends[group]]


def _batched(lines: Iterator[tuple[int, list[str]]]) -> Iterator[list[tuple[int, list[str]]]]:
    while block := list(islice(lines, _BLOCK)):
        yield block


def _fields(path: Path, bad: RejectedRows, meaning: Meaning) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file as fields, with their numbers; those that mean nothing are put aside."""
    first = True
    for number, line, problem in lines_of(path):
        raw = line.rstrip("\r\n")
        fields = raw.split("\t") if "\t" in raw else raw.split()
        if first and [name.strip().lower().replace("_", "-") for name in fields] == ["query-id", "corpus-id", "score"]:
            first = False
            continue
        first = False
        if not raw.strip():
            continue
        given = problem or meaning(fields)
        if isinstance(given, str):
            bad.append(Rejected(number, given, raw[:500], str(path)))
        else:
            yield number, given


def _triple(fields: list[str]) -> list[str] | str:
    return fields if len(fields) == 3 else f"has {len(fields)} fields, not three ids"


def _judgement(fields: list[str]) -> list[str] | str:
    """Query, document and score; or why there are none."""
    if len(fields) == 4:  # TREC's: the second is not used
        fields = [fields[0], fields[2], fields[3]]
    if len(fields) != 3:
        return f"has {len(fields)} fields, not query, document and score"
    try:
        grade = int(fields[2])
    except ValueError:
        return f"the score {shown(fields[2])} is not a whole number"
    return fields if abs(grade) < 1 << 31 else f"the score {shown(fields[2])} is too large"


def _missing(fields: Sequence[str], entries: Sequence[int], tables: Sequence[LineTexts]) -> str | None:
    for given, entry, table in zip(fields, entries, tables, strict=False):
        if entry < 0:
            return f"{table.path.name} has no usable text of the id {shown(given)}"
    return None


def _parse(path: Path) -> Parse:
    return json_text if ".jsonl" in path.name.lower() else tsv_text


def _tables(folder: Path, begin: str) -> list[Path]:
    return sorted(path for end in ("tsv", "tsv.gz") for path in folder.glob(f"{begin}*.{end}"))


def _split_name(path: Path) -> str:
    """What stands in a name between its begin and its end: ``train`` of ``queries.train.tsv``."""
    words = path.name.removesuffix(".gz").removesuffix(".tsv").split(".")[1:]
    return ".".join(words) or "all"


def _chosen(folder: Path, splits: list[str], split: str | None) -> str:
    if split is not None and split in splits:
        return split
    if split is not None:
        raise InputError(f"has no judgements {split!r}", path=folder, field="split", remedy=nearest(split, splits))
    if "train" in splits or len(splits) == 1:
        return "train" if "train" in splits else splits[0]
    if not splits:
        remedy = "Add them: query-id, corpus-id and score, in qrels/train.tsv or qrels.train.tsv."
        raise InputError("has documents and queries, but no judgements (qrels)", path=folder, remedy=remedy)
    raise InputError(
        f"has several judgements: {', '.join(map(repr, splits))}",
        path=folder, field="split", remedy=f"Say which, e.g. {folder}:{splits[0]}.",
    )  # fmt: skip
