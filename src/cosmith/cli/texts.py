"""What the commands that take texts share: reading them, and saying which were put aside or cut."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cosmith.cli.manner import Manner
from cosmith.errors import ColumnError, InputError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized

    from cosmith.data import Cut, Rejected, RejectedFile, TextsRead
    from cosmith.data.documents import Document, DocumentFiles
    from cosmith.data.records_file import RecordsFile
    from cosmith.evaluation.tasks import EvaluationTask
    from cosmith.models import ReadingEncoder
    from cosmith.retrieval import VectorFolder


def texts_of(
    path: Path, column: str, manner: Manner, *, rejected: Path, part: Literal["text", "document"] = "text"
) -> TextsRead:
    """The texts of a file, of a folder of documents, or of the corpus of a BEIR folder; says which they are and how
    many could not be used."""
    from cosmith.data import read_texts
    from cosmith.data.documents import is_document_folder

    if is_document_folder(path):
        return _texts_of_documents(path, manner, rejected)
    try:
        read = read_texts(_file_of(path), column=column, part=part, rejected=rejected)
    except ColumnError as error:
        raise error.told_as("--column", "--column ") from error
    manner.note(f"{counted(len(read.texts), 'text')}{of_columns(read)} in {read.path}")
    warn_of_rejected(read.rejected, rejected, manner)
    return read


@dataclass(frozen=True)
class TextStream:
    """Texts to be gone through as they are needed.

    Attributes:
        texts: Id and text of each.
        count: How many there are.
        rejected: Those that cannot be used.
        columns: The column of each part that was found.
    """

    texts: Iterable[tuple[str, str]]
    count: int
    rejected: Sequence[Rejected] | RejectedFile
    columns: Mapping[str, str]


def stream_of(path: Path, column: str, manner: Manner, *, rejected: Path) -> TextStream:
    """The same texts as :func:`texts_of`, of files read once to check them and again as they are needed."""
    from cosmith.data import check_texts
    from cosmith.data.documents import is_document_folder

    if is_document_folder(path):
        read = texts_of(path, column, manner, rejected=rejected)
        return TextStream(list(zip(read.ids, read.texts, strict=True)), len(read.texts), read.rejected, read.columns)
    try:
        checked = check_texts(_file_of(path), column=column, rejected=rejected)
    except ColumnError as error:
        raise error.told_as("--column", "--column ") from error
    found = TextStream(checked, checked.count, checked.rejected, checked.file.columns)
    manner.note(f"{counted(found.count, 'text')}{of_columns(found)} in {checked.file.path}")
    warn_of_rejected(found.rejected, rejected, manner)
    return found


def _file_of(path: Path) -> Path:
    return path / "corpus.jsonl" if (path / "queries.jsonl").is_file() else path


def _texts_of_documents(folder: Path, manner: Manner, rejected_file: Path) -> TextsRead:
    from cosmith.data import TextsRead, write_rejected
    from cosmith.data.documents import read_documents, with_text

    files = read_documents(folder)
    found = [with_text(document) for document in files]
    manner.note(files.describe())
    write_rejected(rejected_file, files.rejected)
    warn_of_rejected(files.rejected, rejected_file, manner)
    titles = [document.title for document in found]
    texts = [f"{document.title} {document.text}".strip() for document in found]
    return TextsRead([document.id for document in found], texts, titles, files.rejected, {}, folder)


def documents_of(
    path: Path, column: str, *, patterns: Sequence[str] | None = None, formats: Sequence[str] | None = None
) -> RecordsFile[Document] | DocumentFiles:
    """The documents of a table, of the corpus of a BEIR folder, of another folder, or of one file that is a document.

    Raises:
        InputError: When patterns or formats are said, which only choose among the files of a folder.
    """
    from cosmith.data.documents import open_documents, read_documents
    from cosmith.data.tabular import FORMATS

    corpus = path / "corpus.jsonl"
    table = corpus if corpus.is_file() else path
    if not table.is_file() or not set(FORMATS) & {suffix.lower() for suffix in table.suffixes}:
        return read_documents(path, patterns=patterns, formats=formats)
    if patterns or formats:
        option = "--pattern" if patterns else "--format"
        raise InputError("is for folders of documents", field=option, remedy="Leave it out.")
    try:
        return open_documents(table, column=column)
    except ColumnError as error:
        raise error.told_as("--column", "--column ") from error


def of_columns(read: TextsRead | TextStream) -> str:
    """Which column the texts were read from, as part of a sentence."""
    names = [repr(read.columns[part]) for part in ("title", "text") if part in read.columns]
    return f" of the column{'s' if len(names) > 1 else ''} {' and '.join(names)}" if names else ""


def warn_of_rejected(
    rows: Sequence[Rejected] | RejectedFile, written: Path | None, manner: Manner, *, otherwise: str = ""
) -> None:
    """Say how many rows of a file could not be used, and where they are written down with the reason for each; or,
    where they are not, what writes them down."""
    from cosmith.data import RejectedFile

    first = rows.first if isinstance(rows, RejectedFile) else next(iter(rows), None)
    if first is not None:
        where = f"; all are in {written}" if written else f"; {otherwise}"
        manner.warn(
            f"put aside {counted(len(rows), 'row')} that cannot be used, e.g. {first.path}:{first.line}:"
            f" {first.reason}{where}"
        )


def require_other(output: Path, *inputs: str | Path | None, option: str = "--output") -> None:
    """Refuse an output that is one of the inputs, under whatever name, a folder that holds one, or a file that a folder
    among them is read from.

    Args:
        output: Where something is to be written.
        inputs: What is read: files, folders, or names of what is not here, which are left alone.
        option: What says the output.

    Raises:
        InputError: In these cases: what was read would be gone.
    """
    for given, place in _places_of(inputs):
        if _holds(output, place):
            raise InputError(
                f"is read from ({given}), and what it holds would be gone", path=output, field=option,
                remedy="Give another name to the output.",
            )  # fmt: skip


def require_apart(output: Path, *inputs: str | Path | None, option: str = "--output") -> None:
    """Refuse what :func:`require_other` does, and a folder that lies within an input.

    Raises:
        InputError: In these cases.
    """
    require_other(output, *inputs, option=option)
    for given, place in _places_of(inputs):
        if output.resolve().is_relative_to(place.resolve()):
            raise InputError(
                f"lies within what is read ({given})", path=output, field=option, remedy="Choose a folder beside it."
            )


def _places_of(inputs: Iterable[str | Path | None]) -> Iterator[tuple[str | Path, Path]]:
    """Each input that is a file or a folder here, and where it is."""
    from cosmith.data.tables import place_of

    for given in inputs:
        place = None if given is None else place_of(given).path.expanduser()
        if given is not None and place is not None and place.exists():
            yield given, place


def _holds(output: Path, place: Path) -> bool:
    """Whether something would be gone of a place that is read, if the output were replaced."""
    from cosmith.data.tables import splits_of

    if not output.is_file():
        return output.is_dir() and place.resolve().is_relative_to(output.resolve())
    files = [place]
    if place.is_dir():
        files = [place / name for name in ("corpus.jsonl", "queries.jsonl")]
        with suppress(InputError):
            files += chain.from_iterable(splits_of(place).values())
    return any(file.is_file() and file.samefile(output) for file in files)


def rejected_value(rows: Sized, written: Path | None) -> dict[str, object]:
    """How many rows could not be used, and the file that lists them, for the JSON of a result."""
    return {"rejected": len(rows), "rejected_file": str(written) if rows and written else None}


def report_cut(
    encoder: ReadingEncoder, texts: Sequence[str], manner: Manner, *, prompt: str | None, instruction: str = ""
) -> int:
    """Count, and say, how many texts are longer than the model reads."""
    from cosmith.data import Cut

    cut = Cut.count_in(
        "texts", texts, lambda part: encoder.tokenize(part, prompt=prompt, instruction=instruction), encoder.max_length
    )
    warn_of_cut(encoder, [cut], manner)
    return cut.count


def warn_of_cut_in(found: VectorFolder, encoder: ReadingEncoder, written: Path, manner: Manner) -> None:
    """Say how many of the texts of a folder of vectors are longer than the model reads, and write down which."""
    from cosmith.atomic import write_json_lines
    from cosmith.data import Cut

    if not found.cut:
        written.unlink(missing_ok=True)  # of an earlier call
        return
    write_json_lines(written, ({"_id": name, "tokens": tokens} for name, tokens in found.cut_texts()))
    told = Cut("texts", found.cut, found.texts, encoder.max_length).describe()
    manner.warn(f"{encoder.name}: {told}; which they are stands in {written}")


def task_cut(encoder: ReadingEncoder, task: EvaluationTask, manner: Manner) -> list[dict[str, object]]:
    """Count, and say, how many texts of a test set are longer than the model reads; the counts as plain values."""
    from cosmith.evaluation import texts_cut

    cut = texts_cut(encoder, task)
    warn_of_cut(encoder, cut, manner)
    return [{"model": encoder.name, **asdict(each)} for each in cut]


def warn_of_cut(encoder: ReadingEncoder, cut: Iterable[Cut], manner: Manner) -> None:
    """Say of which kinds of text the model does not read all."""
    for each in cut:
        if each.count:
            manner.warn(f"{encoder.name}: {each.describe()}")


def require_used(instruction: str, prompt: str | None, *encoders: ReadingEncoder) -> None:
    """Refuse an instruction that changes nothing.

    Raises:
        InputError: When no model's prompt of this name has a place for one.
    """
    if instruction and not any(uses(encoder, instruction, prompt) for encoder in encoders):
        named = f"prompt {prompt!r}" if prompt is not None else "default prompt"
        raise InputError(
            f"the {named} of {encoders[0].name} has no {{task}}, so an instruction changes nothing",
            field="--instruction", remedy="Leave it out, or take a model or a prompt that has.",
        )  # fmt: skip


def uses(encoder: ReadingEncoder, instruction: str, prompt: str | None) -> bool:
    """Whether a model's prompt of this name has a place for an instruction."""
    return encoder.token_key(prompt=prompt, instruction=instruction) != encoder.token_key(prompt=prompt)


def beside(output: Path, ending: str) -> Path:
    """The place beside an output whose name is the output's and ``ending``.

    Raises:
        InputError: When the output is a place without a name, e.g. the folder ``.``.
    """
    from cosmith.atomic import require_name

    require_name(output)
    return output.with_name(output.name + ending)


def model_reference(model: str) -> str:
    """What to write down of a model so that it is found again from elsewhere: a folder's full path, or its name."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model
