"""Who might ask: a list of personas, and for each passage those that lie nearest to it.

Qwen3-Embedding takes the five characters of Persona Hub that are retrieved for a passage (arXiv:2506.05176, section 3
and appendix), so that queries come from people who would really look for what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.progress import track
from cosmith.retrieval import search_dense

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

_BLOCK = 1024
"""Passages whose vectors are held at once."""


def builtin_personas() -> list[str]:
    """The personas that come with Cosmith: of many trades, ages and situations, a line each."""
    text = (resources.files("cosmith.mining.synthesis") / "personas.txt").read_text(encoding="utf-8")
    return _lines(text)


def load_personas(path: str | Path) -> list[str]:
    """Personas of a text file, one a line; empty lines and those that begin with ``#`` are passed over.

    Raises:
        InputError: When there is no such file, it is not UTF-8, or holds none.
    """
    place = Path(path)
    try:
        found = _lines(place.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", path=place, remedy="Save it as UTF-8.") from error
    except OSError as error:
        raise InputError("no such file", path=place, remedy="Give a text file with a persona a line.") from error
    if not found:
        raise InputError("holds no persona", path=place, remedy="Write one a line.")
    return found


def nearest_personas(
    encoder: TextEncoder, passages: Sequence[str], personas: Sequence[str], top: int = 5
) -> npt.NDArray[np.int64]:
    """The personas whose vectors lie nearest to those of each passage, by their inner product.

    Args:
        encoder: Encodes both, without a prompt.
        passages: N texts.
        personas: P texts.
        top: How many of each passage.

    Returns:
        int64 ``[N, min(top, P)]``: numbers of personas, nearest first; of equally near ones the first.
    """
    vectors = encoder.encode(personas)
    parts = [np.empty((0, min(top, len(personas))), dtype=np.int64)]
    with track("Finding who might ask", len(passages), "passages") as bar:
        for start in range(0, len(passages), _BLOCK):
            encoded = encoder.encode(passages[start : start + _BLOCK])
            parts.append(search_dense(encoded, vectors, top)[0])
            bar.advance(len(encoded))
    return np.concatenate(parts)


def _lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
