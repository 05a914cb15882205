"""What an index says about itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.models.runtimes import RUNTIME_PRECISIONS, RUNTIMES
from cosmith.models.similarity import Similarity

FORMAT = 4
_READABLE = (2, 3, FORMAT)  # 2: from before chunks, 3: from before fingerprints by their parts, forms and similarities

REBUILD = "Build the index again, with `cosmith index` or Index.build."


@dataclass(frozen=True)
class IndexCard:
    """What an index says about itself (``index.json``).

    Attributes:
        model: The name of the model that made the vectors, for people.
        encoder: Its fingerprint, which decides whether it may search.
        dimension: The length of the model's full vectors.
        dim: The length of the vectors kept.
        count: How many documents there are.
        prompt: The prompt that the documents were encoded with.
        instruction: The instruction that the model was given, and is given for queries where a search says no other.
        format: The version of the layout.
        chunks: How many chunks the documents were cut into, each with a vector; None: a vector a document.
        fingerprint: Of the vectors, part by part; None in indexes of earlier releases.
        form: The compressed form in which vectors are kept; None: float32.
        similarity: By what vectors are compared.
    """

    model: str
    encoder: str
    dimension: int
    dim: int
    count: int
    prompt: str
    instruction: str = ""
    format: int = FORMAT
    chunks: int | None = None
    fingerprint: EmbeddingFingerprint | None = None
    form: str | None = None
    similarity: Similarity = "cosine"

    @property
    def vectors(self) -> int:
        """How many vectors there are."""
        return self.count if self.chunks is None else self.chunks

    @property
    def made_by(self) -> tuple[str, str]:
        """Runtime and precision of the exported form that made the vectors, as
        :func:`~cosmith.models.runtimes.load_runtime` takes them; each ``auto`` where that is not known, or none did."""
        parts = {} if self.fingerprint is None else self.fingerprint.parts
        runtime = parts.get("runtime", "").split(" ")[0]
        if runtime not in RUNTIMES or parts.get("precision") not in RUNTIME_PRECISIONS:
            return "auto", "auto"
        return runtime, parts["precision"]


def card_as_json(card: IndexCard) -> dict[str, Any]:
    """As ``index.json`` holds it."""
    made = None if card.fingerprint is None else card.fingerprint.as_json()
    return asdict(replace(card, fingerprint=None)) | {"fingerprint": made}


def read_card(path: Path) -> IndexCard:
    """Read ``index.json``.

    Raises:
        InputError: When there is none, it is damaged, or of a later format.
    """
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
        if version in _READABLE:
            return IndexCard(**about | {"fingerprint": EmbeddingFingerprint.from_json(about.get("fingerprint"))})
    except (FileNotFoundError, NotADirectoryError) as error:
        if not path.parent.exists():
            raise InputError("there is no such index", path=path.parent, remedy="Check the path.") from error
        remedy = "Name a folder that `cosmith index` or Index.build made."
        raise InputError("is not an index: there is no index.json", path=path.parent, remedy=remedy) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is not the card of an index ({error})", path=path, remedy=REBUILD) from error
    raise InputError(f"is of format {version}; this version reads {FORMAT}", path=path, remedy=REBUILD)
