"""A retrieval test set, and the BEIR layout on disk that it is read from and written to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from cosmith.atomic import atomic_file
from cosmith.data.records import Record
from cosmith.data.relevance import read_relevance, relevance_path
from cosmith.data.rows import Rejected, write_rejected
from cosmith.data.tabular import json_records
from cosmith.data.texts import document_text, text_problem
from cosmith.errors import InputError, nearest
from cosmith.phrases import counted

_ABOUT = "cosmith.json"
_WRITE_ABOUT = 'Write {"instruction": "what the queries ask for"}, or remove the file.'
_EMPTY = ("is missing", "is empty", "is only whitespace")


@dataclass(frozen=True)
class Collection:
    """Documents, queries, and which documents are relevant to which query.

    Attributes:
        name: What it is called.
        documents: The text of each document by its id.
        queries: The text of each query by its id.
        relevance: Query id → document id → grade. A grade above 0 is relevant; 0 and below is judged not relevant.
        rejected: Rows of the files that could not be used; no part of what makes two collections equal.
        instruction: What the queries ask for, put before them by models that take instructions.
        unanswered: How many queries were left out, for no document is relevant to them; no part of what makes two
            collections equal.

    Raises:
        InputError: When no document is relevant to any query, or a judgement names an unknown id.
    """

    name: str
    documents: Mapping[str, str]
    queries: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, int]]
    rejected: tuple[Rejected, ...] = field(default=(), compare=False, repr=False)
    instruction: str = ""
    unanswered: int = field(default=0, compare=False, repr=False)

    def __post_init__(self) -> None:
        for query, grades in self.relevance.items():
            if query not in self.queries:
                raise InputError(f"relevance names the unknown query {query!r}", field="relevance")
            for document in grades:
                if document not in self.documents:
                    raise InputError(f"relevance names the unknown document {document!r}", field="relevance")
        if not any(grade > 0 for grades in self.relevance.values() for grade in grades.values()):
            raise InputError(
                f"the collection {self.name!r} has no relevant documents",
                field="relevance",
                remedy="Give at least one query a document with a grade above 0.",
            )

    def __repr__(self) -> str:
        documents, queries = counted(len(self.documents), "document"), counted(len(self.queries), "query", "queries")
        return f"Collection({self.name!r}, {documents}, {queries})"

    @classmethod
    def read_beir(
        cls, folder: str | Path, split: str = "test", name: str | None = None, *, rejected: str | Path | None = None
    ) -> Collection:
        """Read ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/SPLIT.tsv``, and ``cosmith.json`` where there is one.

        A document's text is ``(title + " " + text).strip()``, as MTEB has it. Queries without a relevant document are
        left out. A query's own ``instruction`` is put behind it, ``text + " " + instruction``, as in MTEB's instruction
        retrieval. Empty documents and queries, with the judgements that name them, are put aside in ``rejected``.
        ``cosmith.json``, ``{"instruction": "…"}``, which is told of all queries to models that take instructions, is no
        part of BEIR's layout.

        Args:
            folder: The folder.
            split: Which judgements.
            name: What to call it; by default the folder's name.
            rejected: Where to write the rows that could not be used, as JSON lines.

        Raises:
            InputError: When a file is missing, empty, not UTF-8 or not what it should be, an id stands twice, a
                judgement names an unknown id, or nothing is relevant; it names file, line and field.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError("there is no such folder", path=folder, remedy="Give a folder in the BEIR layout.")
        bad: list[Rejected] = []
        instruction = _read_instruction(folder / _ABOUT)
        judgements = relevance_path(folder, split)
        documents = _read_texts(folder / "corpus.jsonl", bad, titled=True)
        queries = _read_texts(folder / "queries.jsonl", bad)
        relevance = read_relevance(judgements, documents, queries, bad)
        if rejected is not None:
            write_rejected(rejected, bad)
        asked = {query: relevance[query] for query in queries if any(g > 0 for g in relevance.get(query, {}).values())}
        if not asked:
            raise InputError(
                "says of no document that it is relevant to a query",
                path=judgements,
                field="score",
                remedy="Give at least one judgement a score above 0.",
            )
        return cls(
            name or folder.resolve().name,
            {given: text for given, text in documents.items() if text is not None},
            {query: text for query in asked if (text := queries[query]) is not None},
            asked,
            tuple(bad),
            instruction,
            sum(text is not None for text in queries.values()) - len(asked),
        )

    def write_beir(self, folder: str | Path, split: str = "test") -> None:
        """Write the BEIR layout; other splits in the folder stay, and share the corpus with this one.

        What read_beir reads from there is equal to this collection, but for white space around documents, which it
        strips, and for queries without a relevant document, which it leaves out.

        Raises:
            InputError: When an id cannot stand in a TSV file, a text cannot be used, or other splits in the folder
                have another instruction, or are judgements over other documents or other queries of the same id.
            StorageError: When it cannot be written; what was there before stands unchanged.
        """
        folder = Path(folder)
        for given, text in (*self.documents.items(), *self.queries.items()):
            if problem := text_problem(given) or ("holds a tab or line break" if set(given) & set("\t\r\n") else None):
                raise InputError(f"the id {given!r} {problem}", field="_id", remedy="Rename it.")
            if problem := text_problem(text):
                raise InputError(f"the text of {given!r} {problem}", field="text", remedy="Leave it out.")
        queries = self.queries
        others = [path for path in folder.glob("qrels/*.tsv") if path.stem != split]
        if others:
            queries = _shared_queries(folder, self, others)
        # All are written in full before the first takes its name, the judgements last: a full disk changes nothing.
        with ExitStack() as files:
            outputs: list[tuple[Path, Iterator[str]]] = [
                (folder / "qrels" / f"{split}.tsv", _relevance_lines(self.relevance)),
                (folder / "queries.jsonl", _query_lines(queries)),
            ]
            if not others:
                outputs.append((folder / "corpus.jsonl", _document_lines(self.documents)))
            if self.instruction or (folder / _ABOUT).exists():
                outputs.append((folder / _ABOUT, iter([_about(self.instruction)])))
            for path, lines in outputs:
                handle = files.enter_context(atomic_file(path))
                handle.writelines(lines)
                handle.flush()
                os.fsync(handle.fileno())

    def fingerprint(self) -> str:
        """A hash of documents, queries, relevance and instruction, with their order; not of the name."""
        digest = xxhash.xxh3_128()
        for lines in (
            _document_lines(self.documents), _query_lines(self.queries), _relevance_lines(self.relevance)
        ):  # fmt: skip
            for line in lines:
                digest.update(line.encode("utf-8", "surrogatepass"))
        if self.instruction:
            digest.update(_about(self.instruction).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _document_lines(documents: Mapping[str, str]) -> Iterator[str]:
    for given, text in documents.items():
        yield json.dumps({"_id": given, "title": "", "text": text}, ensure_ascii=False) + "\n"


def _query_lines(queries: Mapping[str, str]) -> Iterator[str]:
    for given, text in queries.items():
        yield json.dumps({"_id": given, "text": text}, ensure_ascii=False) + "\n"


def _relevance_lines(relevance: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield "query-id\tcorpus-id\tscore\n"
    for query, grades in relevance.items():
        for document, grade in grades.items():
            yield f"{query}\t{document}\t{grade}\n"


def _about(instruction: str) -> str:
    return json.dumps({"instruction": instruction}, ensure_ascii=False) + "\n"


def _read_instruction(path: Path) -> str:
    """The instruction that a folder's ``cosmith.json`` gives; empty without the file."""
    if not path.exists():
        return ""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON ({error})", path=path, remedy=_WRITE_ABOUT) from error
    if not isinstance(about, dict):
        raise InputError(f"is not a JSON object but of type {type(about).__name__}", path=path, remedy=_WRITE_ABOUT)
    if unknown := next((key for key in about if key != "instruction"), None):
        raise InputError(f"unknown key {unknown!r}", path=path, field=unknown, remedy=_WRITE_ABOUT)
    instruction = about.get("instruction", "")
    if instruction != "" and (problem := text_problem(instruction)):
        raise InputError(f"the instruction {problem}", path=path, field="instruction", remedy=_WRITE_ABOUT)
    return str(instruction)


def _read_texts(path: Path, bad: list[Rejected], titled: bool = False) -> dict[str, str | None]:
    """Texts by id, joined with their titles where they have some; None for the empty ones, which are put aside."""
    texts: dict[str, str | None] = {}
    line_of: dict[str, int] = {}
    for record in json_records(path):
        given = _id(record, path)
        if given in texts:
            raise InputError(
                f"the id {given!r} stands on line {line_of[given]} already",
                path=path,
                line=record.line,
                field="_id",
                remedy="Remove one of the two, or give each an id of its own.",
            )
        line_of[given] = record.line
        text = _value(record, "text", path)
        text = document_text(record.values.get("title"), text) if titled else _instructed(text, record, path)
        problem = text_problem(text)
        if problem is None:
            texts[given] = str(text)
        elif problem in _EMPTY:
            texts[given] = None
            bad.append(Rejected(record.line, f"the text {problem}", record.raw[:500], str(path)))
        else:
            remedy = "Mend that line, or remove it."
            raise InputError(f"the text {problem}", path=path, line=record.line, field="text", remedy=remedy)
    return texts


def _instructed(text: object, record: Record, path: Path) -> object:
    """A query with its own instruction behind it, where it has one, as MTEB's instruction retrieval has them."""
    instruction = record.values.get("instruction")
    if instruction is None or instruction == "":
        return text
    if problem := text_problem(instruction):
        raise InputError(
            f"the instruction {problem}", path=path, line=record.line, field="instruction",
            remedy="Mend that line, or remove it.",
        )  # fmt: skip
    return f"{text} {instruction}" if isinstance(text, str) and text.strip() else text


def _id(record: Record, path: Path) -> str:
    if record.problem:
        raise InputError(record.problem, path=path, line=record.line, remedy="Mend that line, or remove it.")
    given = _value(record, "_id", path)
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    if problem := text_problem(given):
        raise InputError(f"the id {problem}", path=path, line=record.line, field="_id", remedy="Give it an id.")
    return str(given)


def _value(record: Record, column: str, path: Path) -> object:
    if column not in record.values:
        columns = ", ".join(map(repr, record.values)) or "none"
        remedy = nearest(column, record.values) if record.values else f"Add {column!r}."
        raise InputError(
            f"has no {column!r}; its columns: {columns}", path=path, line=record.line, field=column, remedy=remedy
        )
    return record.values[column]


def _shared_queries(folder: Path, collection: Collection, others: list[Path]) -> Mapping[str, str]:
    """The queries of a folder and of a collection, which must not contradict each other."""
    remedy = "Write the collection to a folder of its own."
    splits = ", ".join(sorted(path.stem for path in others))
    if _read_instruction(folder / _ABOUT) != collection.instruction:
        raise InputError(f"its splits ({splits}) have another instruction", path=folder / _ABOUT, remedy=remedy)
    documents = _read_texts(folder / "corpus.jsonl", [], titled=True)
    if documents != collection.documents:
        raise InputError(f"its splits ({splits}) are over other documents", path=folder / "corpus.jsonl", remedy=remedy)
    queries = {given: text for given, text in _read_texts(folder / "queries.jsonl", []).items() if text}
    for given, text in collection.queries.items():
        if queries.setdefault(given, text) != text:
            raise InputError(
                f"its splits ({splits}) have another query of the id {given!r}",
                path=folder / "queries.jsonl",
                field="_id",
                remedy=remedy,
            )
    return queries
