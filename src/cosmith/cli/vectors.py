"""What the commands that evaluate share: vectors that were made before are not made again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cosmith.cli.manner import Manner
from cosmith.errors import CosmithError

if TYPE_CHECKING:
    from cosmith.models import TextEncoder, VectorCache

CACHE_OPTION = typer.Option(
    "--cache/--no-cache",
    help="Keep vectors in the user's cache folder (or $COSMITH_CACHE) and use those that are there.",
)


def open_vectors(manner: Manner) -> VectorCache | None:
    """The user's cache of vectors; where it cannot be used, that is said, and there is none."""
    from cosmith.models import VectorCache, default_cache_path

    try:
        return VectorCache(default_cache_path())
    except (CosmithError, OSError) as error:
        manner.warn(f"vectors are not kept: {error}")
        return None


def remembering(encoder: TextEncoder, vectors: VectorCache | None) -> TextEncoder:
    """The encoder with a cache before it, where there is one."""
    from cosmith.models import CachedEncoder

    return encoder if vectors is None else CachedEncoder(encoder, vectors)


def tell_of_vectors(vectors: VectorCache | None, manner: Manner) -> dict[str, object]:
    """Say how many vectors were there already; the counts as plain values."""
    if vectors is None:
        return {}
    counts = vectors.counts
    if counts.asked:
        manner.note(counts.describe())
    return {"vectors": asdict(counts)}
