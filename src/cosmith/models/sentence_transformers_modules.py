"""What a model folder names for sentence-transformers where that library has no module of the kind.

It loads such a folder with ``trust_remote_code=True``, where Cosmith is installed, and refuses it otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cosmith.models import latent_attention
from cosmith.models.folder import read_latent_attention
from cosmith.models.weights import load_weights, save_weights


class LatentAttention(latent_attention.LatentAttention):
    """:class:`cosmith.models.latent_attention.LatentAttention` between a Transformer and a Pooling."""

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **rest: Any) -> LatentAttention:
        """Read it from a model folder, as sentence-transformers asks for it."""
        spec = read_latent_attention(Path(model_name_or_path) / subfolder)
        module = cls(spec)
        load_weights(module, Path(model_name_or_path) / subfolder)
        return module

    def save(self, output_path: str, *arguments: Any, **rest: Any) -> None:
        """Write it into a folder."""
        self.spec.write(Path(output_path))
        save_weights(self, Path(output_path))

    def forward(self, features: Any) -> Any:
        """Replace ``token_embeddings`` ``[texts, tokens, width]``."""
        states: torch.Tensor = features["token_embeddings"]
        features["token_embeddings"] = super().forward(states.flatten(0, 1)).view_as(states)
        return features
