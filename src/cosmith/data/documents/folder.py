"""The documents of a folder, read one after another; what is passed over is counted, what is broken put aside."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from cosmith.data.documents.decoding import UnreadableError, is_binary
from cosmith.data.documents.document import Document
from cosmith.data.documents.formats import Reader, checked_formats, format_of, reader_of
from cosmith.data.rows import Rejected
from cosmith.data.tabular import FORMATS
from cosmith.errors import InputError
from cosmith.phrases import counted, size
from cosmith.progress import track

LARGEST_FILE = 50_000_000
"""Bytes of the largest file that is read where nothing else is said."""


_OF_RECORDS = frozenset(FORMATS) - {".txt"}


@dataclass(frozen=True)
class DocumentFiles:
    """The documents of a folder, or of one file, read one after another, anew each time that they are gone through.

    Attributes:
        path: The folder or file.
        formats: How many documents of each format there were when they were last gone through.
        passed_over: How many files were not looked at, by reason: hidden, of another format, binary, empty, not asked
            for, links out of the folder.
        rejected: The files that should be documents and cannot be read, each with the reason (``line`` is 1, and
            ``record`` is empty, since it is the whole file).
    """

    path: Path
    formats: Counter[str]
    passed_over: Counter[str]
    rejected: list[Rejected]
    _read: Callable[[DocumentFiles], Iterator[Document]]

    def __iter__(self) -> Iterator[Document]:
        for counts in (self.formats, self.passed_over, self.rejected):
            counts.clear()
        return self._read(self)

    def describe(self) -> str:
        """``12 documents (8 markdown, 4 html); passed over 3 files (2 hidden, 1 empty)``."""
        told = counted(self.formats.total(), "document") + _listed(self.formats)
        if self.passed_over:
            told += f"; passed over {counted(self.passed_over.total(), 'file')}{_listed(self.passed_over)}"
        if self.rejected:
            told += f"; put aside {counted(len(self.rejected), 'file')} that cannot be read"
        return told


def is_document_folder(path: str | Path) -> bool:
    """Whether a folder holds documents rather than records: Markdown, HTML, PDF or the like, and no table.

    A folder of nothing but ``.txt`` may be either; where records are wanted, each line of such files is one.
    """
    folder, documents = Path(path), False
    if not folder.is_dir():
        return False
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for file in (Path(place, name) for name in names if not name.startswith(".")):
            suffixes = {suffix.lower() for suffix in file.suffixes}
            if suffixes & _OF_RECORDS:
                return False
            documents = documents or format_of(file) not in (None, "text")
    return documents


def holds_documents(path: str | Path) -> bool:
    """Whether this is a folder of documents, or a file that is one and no file of records."""
    file = Path(path)
    return is_document_folder(file) or (file.is_file() and format_of(file) not in (None, "text"))


def read_documents(
    path: str | Path,
    *,
    patterns: Iterable[str] | None = None,
    formats: Iterable[str] | None = None,
    largest: int = LARGEST_FILE,
) -> DocumentFiles:
    """Read the documents of a folder, and of those in it, in the order of their paths.

    Formats are known by the ends of names: Markdown, HTML, plain text, reStructuredText, PDF, Python and other source
    code. Passed over are hidden files and folders (their name begins with a dot), files of other formats, binary and
    empty ones, and links that lead out of the folder. Put aside are files that are too large, in no encoding that they
    say or UTF-8, encrypted, broken or without text; none of them stops the reading.

    Example::

        documents = read_documents("handbook", formats=["markdown", "pdf"])
        write_documents("handbook.jsonl", documents)
        print(documents.describe())

    Args:
        path: A folder, or a single file.
        patterns: Which files, by their path from the folder, e.g. ``docs/*.md``; ``*`` stands for any characters, also
            for ``/``. None: all.
        formats: Which formats, by the names in :data:`cosmith.data.documents.FORMATS`. None: all.
        largest: Bytes of the largest file that is read.

    Raises:
        InputError: When there is no such file or folder, or no such format; and when they are gone through, that a
            library is missing, or that there is no document.
    """
    place = Path(path)
    if not place.exists():
        raise InputError("no such file or folder", path=place, remedy="Check the path.")
    if largest < 1:
        raise InputError(f"is {largest}", field="largest", remedy="Give 1 byte or more.")
    chosen = checked_formats(formats)
    globs = None if patterns is None else ((patterns,) if isinstance(patterns, str) else tuple(patterns))

    def read(found: DocumentFiles) -> Iterator[Document]:
        files = _of_formats(found, _files(found), globs, chosen)
        readers = {format: reader_of(format) for format in dict.fromkeys(format for _, _, format in files)}
        with track("Reading documents", len(files), "files") as bar:
            for file, name, format in files:
                document = _document(found, file, name, readers[format], largest)
                if document is not None:
                    found.formats[format] += 1
                    yield document
                bar.advance()
        _require_some(found)

    return DocumentFiles(place, Counter(), Counter(), [], read)


def _files(found: DocumentFiles) -> Iterator[tuple[Path, str]]:
    """The files of a folder that may be read, with their names; those of hidden folders are not even counted."""
    if not found.path.is_dir():
        yield found.path, found.path.name
        return
    root = found.path.resolve()

    def failed(error: OSError) -> None:
        found.rejected.append(Rejected(1, f"cannot be opened ({error.strerror})", "", str(error.filename)))

    for folder, subfolders, names in os.walk(found.path, onerror=failed):
        for name in sorted(subfolders):
            if name.startswith("."):
                found.passed_over["hidden"] += 1
            elif Path(folder, name).is_symlink():
                found.passed_over["a link to a folder"] += 1
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if name.startswith("."):
                found.passed_over["hidden"] += 1
            elif file.is_symlink() and not file.resolve().is_relative_to(root):
                found.passed_over["a link out of the folder"] += 1
            elif not file.is_file():  # also a link to nothing; to open a pipe would be to wait for ever
                found.passed_over["no file"] += 1
            else:
                yield file, file.relative_to(found.path).as_posix()


def _of_formats(
    found: DocumentFiles, files: Iterable[tuple[Path, str]], patterns: tuple[str, ...] | None, formats: tuple[str, ...]
) -> list[tuple[Path, str, str]]:
    """The files that are asked for, with their formats, in the order of their paths."""
    chosen = []
    for file, name in files:
        format = format_of(file)
        if patterns is not None and not any(_matches(name, pattern) for pattern in patterns):
            found.passed_over["of no pattern"] += 1
        elif format is None:
            found.passed_over["of another format"] += 1
        elif format not in formats:
            found.passed_over[f"{format}, not asked for"] += 1
        else:
            chosen.append((file, name, format))
    return sorted(chosen, key=lambda each: PurePosixPath(each[1]).parts)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or (pattern.startswith("**/") and fnmatchcase(name, pattern[3:]))


def _document(found: DocumentFiles, file: Path, name: str, read: Reader, largest: int) -> Document | None:
    try:
        length = file.stat().st_size
        if length > largest:
            raise UnreadableError(f"is larger ({size(length)}) than the limit of {size(largest)}")
        data = file.read_bytes()
        if not data.strip():
            found.passed_over["empty"] += 1
            return None
        if format_of(file) != "pdf" and is_binary(data):
            found.passed_over["binary"] += 1
            return None
        name.encode()
        document = read(data, name)
        if not document.text.strip():
            raise UnreadableError("holds no text" + (" but its title" if document.title else ""))
        return document
    except UnreadableError as error:
        reason = str(error)
    except RecursionError:
        reason = "is nested too deeply"
    except UnicodeEncodeError:
        reason = "has a name that is not UTF-8"
    except OSError as error:
        reason = f"cannot be opened ({error.strerror})"
    except Exception as error:  # parsers of other people's files raise what they like, and no file may stop the others
        reason = f"is broken ({type(error).__name__}: {error})"
    found.rejected.append(Rejected(1, reason, "", str(file)))
    return None


def _require_some(found: DocumentFiles) -> None:
    """Refuse to have found nothing at all.

    Raises:
        InputError: When there was no document.
    """
    if found.formats:
        return
    if found.rejected:
        first = found.rejected[0]
        others = f" (and {counted(len(found.rejected) - 1, 'other')} cannot be read)" if len(found.rejected) > 1 else ""
        raise InputError(first.reason + others, path=first.path, remedy="Give documents that can be read.")
    told = f": passed over {counted(found.passed_over.total(), 'file')}{_listed(found.passed_over)}"
    raise InputError(
        f"holds no document{told if found.passed_over else ''}",
        path=found.path,
        remedy="Name a folder that holds Markdown, HTML, text, reStructuredText, PDF or source code.",
    )


def _listed(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{number:,} {what}' for what, number in counts.most_common())})" if counts else ""
