"""PDF files: the text of their pages."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import pypdf
from pypdf.errors import PyPdfError

from cosmith.data.documents.decoding import UnreadableError
from cosmith.data.documents.document import Document

PAGE_END = "\f\n\n"
"""Between two pages: a form feed at the end of the one, then a blank line."""

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_UNSEEN = _LIGATURES | dict.fromkeys((0x00, 0x0C, 0xAD), "")
_HYPHEN = re.compile(r"(?<=[^\W\d_])-[ \t]*\n[ \t]*(?=[a-zß-öø-ÿ])")
_NO_TITLE = re.compile(r"untitled.*|microsoft \w+ - .*|.*\.(docx?|dvi|indd|pdf|pptx?|ps|rtf|tex|xlsx?)", re.I | re.S)


def read_pdf(data: bytes, name: str) -> Document:
    """A PDF file: its pages parted by :data:`PAGE_END`, words that were hyphenated at the end of a line put together.

    The title is the one in its metadata, unless that is the name of a file.

    Raises:
        UnreadableError: It is encrypted with a password, or no page holds text.
    """
    with _quiet():
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not _opened(reader):
            raise UnreadableError("is encrypted")
        pages = [_clean(page.extract_text()) for page in reader.pages]
        title = _title(reader)
    if not any(pages):
        raise UnreadableError("holds no text; it may be a scan")
    return Document(name, PAGE_END.join(page for page in pages if page), title, "pdf")


def _opened(reader: pypdf.PdfReader) -> bool:
    """Whether a file that is encrypted opens without a password, as many do that only forbid printing."""
    try:
        return bool(reader.decrypt(""))
    except (PyPdfError, NotImplementedError, ImportError):
        return False


def _clean(text: str) -> str:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").translate(_UNSEEN)
    lines = "\n".join(line.rstrip() for line in whole.splitlines())
    return _HYPHEN.sub("", re.sub(r"\n{3,}", "\n\n", lines)).strip()


def _title(reader: pypdf.PdfReader) -> str:
    try:
        said = reader.metadata.title if reader.metadata is not None else None
    except Exception:  # a broken title is no reason to lose the pages
        return ""
    title = " ".join(_clean(said).split()) if isinstance(said, str) else ""
    return "" if _NO_TITLE.fullmatch(title) else title


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pypdf from telling on stderr what it mends in a file."""
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
