"""Published contrastive losses, each a :class:`~cosmith.losses.spec.ContrastiveSpec` with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cosmith.errors import InputError, nearest
from cosmith.losses.spec import QUERY_TO_DOCUMENT, Block, ContrastiveSpec

_FIVE_TERMS: frozenset[Block] = QUERY_TO_DOCUMENT | {"queries", "documents"}

PRESETS: Mapping[str, ContrastiveSpec] = MappingProxyType(
    {
        "default": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT,),
            temperature=0.05,  # benchmarks/results/temperature.md
            same_text=True,
            known_positives=True,
            same_document=True,
            same_label=True,
            margin=0.1,
            source="Query to all documents of the step, without the same-tower terms that arXiv:2511.07025 (Tab. 4) "
            "found harmful, with the false-negative mask of arXiv:2506.05176 and everything the step knows masked.",
        ),
        "classic": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT,),
            temperature=0.05,
            source="InfoNCE (arXiv:1807.03748) with in-batch negatives (arXiv:1705.00652, Sec. 4.4): "
            "sentence-transformers' MultipleNegativesRankingLoss with its scale of 20.",
        ),
        "qwen3-embedding": ContrastiveSpec(
            denominators=(_FIVE_TERMS,),
            temperature=0.02,
            same_text=True,
            known_positives=True,
            margin=0.1,
            masked_blocks=_FIVE_TERMS - {"documents"},
            source="Qwen3 Embedding (arXiv:2506.05176), the five-term denominator with its mask. The paper gives no "
            "temperature, nor whether other rows' negatives are among the documents; here they are.",
        ),
        "gte": ContrastiveSpec(
            denominators=(_FIVE_TERMS | {"positive_to_queries"},),
            temperature=0.01,
            positive_terms=2,
            source="GTE's improved contrastive loss (arXiv:2308.03281): four blocks in one softmax; the pair's own "
            "score is part of its query-to-document and its document-to-query sum.",
        ),
        "gecko": ContrastiveSpec(
            denominators=(frozenset({"own_negatives", "other_positives", "queries"}),),
            temperature=0.02,
            source="Gecko (arXiv:2403.20327): positives of the batch, the row's own negative, same-tower queries. "
            "The paper gives no temperature.",
        ),
        "gemini": ContrastiveSpec(
            denominators=(frozenset({"own_negatives", "other_positives"}),),
            temperature=0.02,
            same_text=True,
            known_positives=True,
            source="Gemini Embedding (arXiv:2503.07891): as Gecko without same-tower terms; rows with the same query "
            "or the same target are masked. The paper gives no temperature.",
        ),
        "own-negatives": ContrastiveSpec(
            denominators=(frozenset({"own_negatives"}),),
            temperature=0.02,
            source="Llama-Embed-Nemotron-8B (arXiv:2511.07025): the row's own hard negatives only.",
        ),
        "clip-symmetric": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT, frozenset({"positive_to_queries"})),
            temperature=0.07,
            source="CLIP (arXiv:2103.00020, Fig. 3): the mean of both directions, at its initial temperature.",
        ),
        "supcon": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT,),
            temperature=0.1,
            other_own_positives=True,
            source="Supervised contrastive learning (arXiv:2004.11362, Eq. 2, L_out): the mean over a row's positives, "
            "each against all documents of the step, its other positives among them.",
        ),
        "siglip": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT,),
            temperature=0.1,
            same_text=True,
            known_positives=True,
            normalisation="sigmoid",
            bias=-10.0,
            source="SigLIP (arXiv:2303.15343) at its initial temperature and bias, which are trained there and "
            "fixed here; known positives are left out, since no softmax forgives them.",
        ),
        "gist": ContrastiveSpec(
            denominators=(_FIVE_TERMS,),
            temperature=0.01,
            margin=0.0,
            documents_with_negatives=False,
            guided=True,
            source="GISTEmbed (arXiv:2402.16829): candidates that a guide model likes better than the positive are "
            "left out.",
        ),
        "simcse": ContrastiveSpec(
            denominators=(frozenset({"other_positives"}),),
            temperature=0.05,
            same_text=True,
            embed_twice=True,
            source="Unsupervised SimCSE (arXiv:2104.08821, Eq. 4): a text is its own positive under other dropout.",
        ),
        "simcse-supervised": ContrastiveSpec(
            denominators=(QUERY_TO_DOCUMENT,),
            temperature=0.05,
            source="Supervised SimCSE (arXiv:2104.08821, Eq. 5): each row has a hard negative (a contradiction).",
        ),
    }
)
"""The presets by name; ``spec.source`` says where each comes from."""


def preset(name: str, **changes: Any) -> ContrastiveSpec:
    """A published loss by its name, with some of its fields changed.

    Args:
        name: A key of :data:`PRESETS`, e.g. ``"qwen3-embedding"``.
        **changes: Fields of :class:`ContrastiveSpec`, e.g. ``temperature=0.05``.

    Raises:
        InputError: When there is no such preset or field, or a value cannot be used.
    """
    if name not in PRESETS:
        raise InputError(f"there is no contrastive loss {name!r}", field="loss", remedy=nearest(name, PRESETS))
    fields = {field.name for field in dataclasses.fields(ContrastiveSpec)}
    for field in changes:
        if field not in fields:
            raise InputError(f"a contrastive loss has no {field!r}", field=field, remedy=nearest(field, fields))
    return dataclasses.replace(PRESETS[name], **changes)
