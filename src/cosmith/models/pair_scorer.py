"""Any model that scores pairs of query and document, from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.models.kinds import kind_of
from cosmith.models.packaged import find_model

if TYPE_CHECKING:
    from cosmith.models.cross_encoder import CrossEncoder
    from cosmith.models.late_interaction import LateInteractionEncoder


def load_pair_scorer(name_or_folder: str | Path) -> CrossEncoder | LateInteractionEncoder:
    """Load a late-interaction model where the folder holds one, else a cross-encoder.

    Raises:
        InputError: As their ``load``.
    """
    if kind_of(find_model(name_or_folder)) == "late-interaction":
        from cosmith.models.late_interaction import LateInteractionEncoder

        return LateInteractionEncoder.load(name_or_folder)
    from cosmith.models.cross_encoder import CrossEncoder

    return CrossEncoder.load(name_or_folder)
