"""Late interaction: text → a unit vector for each of its tokens."""

from cosmith.models.late_interaction.encoder import LateInteractionEncoder
from cosmith.models.late_interaction.folder import LateInteractionSpec, QueryExpansion
from cosmith.models.late_interaction.vectors import TokenVectors

__all__ = ["LateInteractionEncoder", "LateInteractionSpec", "QueryExpansion", "TokenVectors"]
