"""Latent attention: what token states say in terms of a learnt dictionary, before they are pooled (NV-Embed)."""

from __future__ import annotations

import torch

from cosmith.errors import InputError
from cosmith.models.folder import LatentAttentionSpec


class LatentAttention(torch.nn.Module):
    """Token states attend to trained latents, then pass an MLP (Lee et al., arXiv:2405.17428, section 3.1).

    With the token states Q as queries and the latents as keys and values, O = softmax(Q K^T / sqrt(d)) V for each
    head, followed by two linear layers with a GELU between them; the mean over a text's tokens is its vector. As in
    the model that the authors released, both parts are residual and normalise what they read; their last layers
    begin at zero, so that an untrained one gives what the pooling alone would give.

    Every token is worked on by itself, so padding, order and the other texts of a batch cannot matter.

    Args:
        spec: The sizes.
    """

    def __init__(self, spec: LatentAttentionSpec) -> None:
        super().__init__()
        if spec.latents < 1:
            raise InputError(f"is {spec.latents}", field="latents", remedy="Give 1 or more.")
        if spec.heads < 1 or spec.width % spec.heads:
            raise InputError(
                f"the width {spec.width} is no multiple of the {spec.heads} heads", field="heads",
                remedy="Give another number of heads.",
            )  # fmt: skip
        width = spec.width
        self.spec = spec
        self.latents = torch.nn.Parameter(torch.randn(spec.latents, width) * width**-0.5)
        self.query_norm = torch.nn.LayerNorm(width)
        self.query = torch.nn.Linear(width, width, bias=False)
        self.key_value = torch.nn.Linear(width, 2 * width, bias=False)
        self.output = torch.nn.Linear(width, width, bias=False)
        self.mlp_norm = torch.nn.LayerNorm(width)
        self.expand = torch.nn.Linear(width, 4 * width)
        self.contract = torch.nn.Linear(4 * width, width)
        for last in (self.output.weight, self.contract.weight, self.contract.bias):
            torch.nn.init.zeros_(last)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """``[tokens, width]`` → ``[tokens, width]``."""
        heads = self.spec.heads
        query = self.query(self.query_norm(states)).unflatten(-1, (heads, -1)).transpose(0, 1)
        key, value = self.key_value(self.latents).unflatten(-1, (2, heads, -1)).permute(1, 2, 0, 3)
        found = torch.nn.functional.scaled_dot_product_attention(
            query[None], key[None].to(query.dtype), value[None].to(query.dtype)
        )[0]
        states = states + self.output(found.transpose(0, 1).flatten(1))
        grown: torch.Tensor = states + self.contract(torch.nn.functional.gelu(self.expand(self.mlp_norm(states))))
        return grown
