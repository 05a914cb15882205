"""Bytes of a file as text: UTF-8, or what a byte order mark or the file itself says."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.I)


class UnreadableError(Exception):
    """Why a file cannot be read as a document; the reader of folders catches it."""


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text: a NUL stands among the first of them, and no byte order mark explains it."""
    return not data.startswith(tuple(mark for mark, _ in _MARKS)) and b"\0" in data[:8192]


def decoded(data: bytes, *, markup: bool = False) -> str:
    """The text of a file, its lines ending in line feeds.

    Args:
        data: The bytes.
        markup: Whether the file may say its encoding itself, as HTML does.

    Raises:
        UnreadableError: It is not in that encoding, or holds what no text may hold.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None and markup and (declared := _DECLARED.search(data[:2048])):
        encoding = declared[1].decode("ascii")
    try:
        text = data.decode(encoding or "utf-8")
        text.encode()  # some decoders give halves of surrogate pairs, which are no characters
    except LookupError as error:
        raise UnreadableError(f"says that it is in an unknown encoding ({encoding})") from error
    except UnicodeError as error:
        raise UnreadableError(f"is not {(encoding or 'utf-8').upper().removesuffix('-SIG')}") from error
    if "\0" in text:
        raise UnreadableError("holds a NUL character")
    return text.replace("\r\n", "\n").replace("\r", "\n")
