"""Any model that scores pairs of query and document, from its folder."""

from __future__ import annotations

from pathlib import Path

from cosmith.models.cross_encoder import CrossEncoder
from cosmith.models.late_interaction import LateInteractionEncoder
from cosmith.models.late_interaction.folder import holds_late_interaction
from cosmith.models.packaged import find_model


def load_pair_scorer(name_or_folder: str | Path) -> CrossEncoder | LateInteractionEncoder:
    """Load a late-interaction model where the folder holds one, else a cross-encoder.

    Raises:
        InputError: As their ``load``.
    """
    late = holds_late_interaction(find_model(name_or_folder))
    return LateInteractionEncoder.load(name_or_folder) if late else CrossEncoder.load(name_or_folder)
