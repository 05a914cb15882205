"""Which model made vectors, and that no other searches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import EmbeddingFingerprint, embedding_fingerprint

if TYPE_CHECKING:
    from cosmith.models import TextEncoder


def model_name(encoder: object) -> str:
    """What to call a model: its ``name`` where it has one, else its class."""
    name = getattr(encoder, "name", None)
    return name if isinstance(name, str) and name else type(encoder).__name__


def require_maker(
    encoder: TextEncoder, *, what: str, model: str, fingerprint: str, parts: EmbeddingFingerprint | None = None
) -> None:
    """Refuse to search vectors with an encoder that did not make them.

    Args:
        encoder: Would make the queries.
        what: What was made, ``index`` or ``vectors``.
        model, fingerprint: Name and fingerprint of what made it; both "" where that is not known.
        parts: The fingerprint part by part, where that is known.

    Raises:
        InputError: When the encoder's fingerprint is another, saying which parts are where they are known.
    """
    asked = encoder.fingerprint()
    if asked != fingerprint:
        made = f"made by {model} ({fingerprint})" if fingerprint else "made by a model that was not said"
        differences = [] if parts is None else parts.of_model().differences(embedding_fingerprint(encoder))
        raise InputError(
            f"the {what} {'were' if what.endswith('s') else 'was'} {made}, but searched with {model_name(encoder)}"
            f" ({asked}): their vectors cannot be compared" + (f" ({'; '.join(differences)})" if differences else ""),
            field="encoder",
            remedy=f"Search with the model that made the {what}, in the same form (runtime and precision), or build the"
            f" {what} again with this one.",
        )
