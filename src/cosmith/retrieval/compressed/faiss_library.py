"""faiss, which only some forms need."""

from __future__ import annotations

from typing import Any

from cosmith.errors import InputError


def load_faiss() -> Any:
    """The library of that name.

    Raises:
        InputError: When it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            "this form of vectors is made by faiss, which is not installed", field="form",
            remedy='Install it: pip install "cosmith[compress]".',
        ) from error  # fmt: skip
    return faiss
