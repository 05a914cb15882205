"""What a contrastive loss puts in its denominators, as data: :class:`ContrastiveSpec`.

Every published in-batch contrastive loss is a choice of candidates, of candidates to leave out, and of a
temperature. This module needs no torch, so that recipes can be checked without it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

from cosmith.errors import InputError, nearest

Block = Literal[
    "own_negatives", "other_positives", "other_negatives", "queries", "documents", "positive_to_queries"
]  # fmt: skip
"""A group of candidates of a pair (query q, positive p) of row i:

* ``own_negatives``: q against the negatives of row i;
* ``other_positives``: q against the positives of other rows;
* ``other_negatives``: q against the negatives of other rows;
* ``queries``: q against the other queries of the step;
* ``documents``: p against the documents of other rows;
* ``positive_to_queries``: p against the other queries of the step.
"""

Need = Literal["positives", "negatives", "scores", "labels", "teacher"]
"""What the rows of a step must have for a loss: texts, scores for all of them, a class, another model's vectors."""

Normalisation = Literal["softmax", "sigmoid"]

Quantisation = Literal["float32", "int8", "binary"]

BLOCKS: frozenset[Block] = frozenset(get_args(Block))
QUERY_TO_DOCUMENT: frozenset[Block] = frozenset({"own_negatives", "other_positives", "other_negatives"})


@dataclasses.dataclass(frozen=True)
class ContrastiveSpec:
    r"""A contrastive loss as data.

    For a pair (q, p) of a row and one denominator with candidates C, the loss is

    .. math:: -\log \frac{e^{s(q,p)/\tau}}{k\,e^{s(q,p)/\tau} + \sum_{c \in C} e^{\ell_c}}

    with :math:`\ell_c = s/\tau` (in the ``hardened_blocks``: :math:`s/\tau + \alpha\,\mathrm{sg}(s)`, :math:`\alpha`
    the ``hardness``, sg the stop-gradient) and k = ``positive_terms``. The losses of several denominators are averaged.
    With a ``focal`` exponent γ, it is :math:`(1 - e^{-L})^\gamma L` in place of that loss L. With the normalisation
    ``sigmoid`` and the ``bias`` b, each score is a decision of its own (SigLIP, arXiv:2303.15343):

    .. math:: -\log \sigma(s(q,p)/\tau + b) - \sum_{c \in C} \log \sigma(-s_c/\tau - b)

    A text stands at most once in one block, however many rows of the step bring it, and a document that belongs
    to several of the three query → document blocks counts once, in the first of ``own_negatives``,
    ``other_positives``, ``other_negatives`` that holds it: where no text repeats this is the classic formula, and
    where one does it is that formula without the accidental weight. Neither text of the pair is a candidate of it.

    Attributes:
        denominators: Each a set of blocks that share one softmax with the pair's own score.
        temperature: τ > 0; sentence-transformers' ``scale`` is 1/τ.
        same_text: Leave out a candidate whose text is that of the pair's query or positive (under another prompt).
        known_positives: Leave out a document that is a known positive of q, and a query that p is a known positive of.
        same_document: Leave out a candidate that is part of the same document as p (``document_group``).
        same_label: Leave out positives and queries of rows that have the label of the pair's row.
        margin: Leave out a candidate with s > s(q,p) + margin. None: keep it.
        ratio: Leave out a candidate with s > s(q,p) - \|s(q,p)\|·(1 - ratio), which is s(q,p)·ratio where the score
            is positive and stays sound where it is not. None: keep it.
        masked_blocks: The blocks that ``margin`` and ``ratio`` apply to. Both compare detached scores.
        guided: Whether ``margin`` and ``ratio`` compare the scores of a guide, ``StepStructure.teacher``, in place of
            the model's own (GISTEmbed, arXiv:2402.16829).
        other_own_positives: Whether the row's other positives stay among ``other_positives``, as in SupCon (they are
            then never masked), or are left out. They are never candidates of another block.
        documents_with_negatives: Whether the block ``documents`` has the negatives of other rows, too, or only their
            positives.
        hardness: α ≥ 0: how much more a candidate counts the higher it scores (LLaVE, arXiv:2503.04812, Eq. 5, which
            takes 9; EmbeddingGemma, arXiv:2509.20354, takes 5).
        hardened_blocks: The blocks that ``hardness`` applies to. By default all, as in LLaVE, where every negative of
            the batch is weighted; EmbeddingGemma weights ``own_negatives`` only. A row's other positives that stay
            (``other_own_positives``) are no negatives and never weighted.
        positive_terms: How often the pair's own score stands in each denominator: 1, or 2 in GTE's equation, whose sums
            over query → document and document → query both have it.
        focal: γ ≥ 0: how much less pairs count that are told apart already (arXiv:1708.02002, Eq. 4; of contrastive
            losses: KaLM-Embedding-V2, arXiv:2506.20923). The gradient goes through the weight, too.
        normalisation: ``softmax`` over a denominator, or ``sigmoid`` of each score by itself.
        bias: b, added to the logits of ``sigmoid``; fixed, as the temperature is.
        embed_twice: Whether a text that stands as query and as document is embedded once in each role, each time
            with dropout of its own (SimCSE, arXiv:2104.08821, Section 3). A matter of who makes the step; nothing in
            the formula.
        source: The publication, for people.

    Raises:
        InputError: When a value cannot be used.
    """

    denominators: tuple[frozenset[Block], ...]
    temperature: float
    same_text: bool = False
    known_positives: bool = False
    same_document: bool = False
    same_label: bool = False
    margin: float | None = None
    ratio: float | None = None
    masked_blocks: frozenset[Block] = BLOCKS
    other_own_positives: bool = False
    documents_with_negatives: bool = True
    hardness: float = 0.0
    hardened_blocks: frozenset[Block] = BLOCKS
    positive_terms: int = 1
    guided: bool = False
    focal: float = 0.0
    normalisation: Normalisation = "softmax"
    bias: float = 0.0
    embed_twice: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.denominators, str) or not isinstance(self.denominators, Iterable):
            raise InputError(
                f"denominators is {self.denominators!r}, not a sequence of sets of blocks",
                field="denominators",
                remedy=_EXAMPLE,
            )
        denominators = tuple(_blocks(blocks, "denominators") for blocks in self.denominators)
        if not denominators or not all(denominators):
            raise InputError("a loss needs a denominator with a block", field="denominators", remedy=_EXAMPLE)
        object.__setattr__(self, "denominators", denominators)
        for name in ("masked_blocks", "hardened_blocks"):
            object.__setattr__(self, name, _blocks(getattr(self, name), name))
        for name in ("same_text", "known_positives", "same_document", "same_label", "other_own_positives",
                     "documents_with_negatives", "guided", "embed_twice"):  # fmt: skip
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} is {getattr(self, name)!r}, neither true nor false", field=name)
        check_number(self.temperature, "temperature", above=0.0)
        check_number(self.hardness, "hardness", least=0.0)
        check_number(self.focal, "focal", least=0.0)
        check_number(self.bias, "bias")
        check_choice(self.normalisation, "normalisation", get_args(Normalisation))
        if self.margin is not None:
            check_number(self.margin, "margin")
        if self.ratio is not None:
            check_number(self.ratio, "ratio", above=0.0)
        if isinstance(self.positive_terms, bool) or not isinstance(self.positive_terms, int) or self.positive_terms < 1:
            raise InputError(
                f"positive_terms is {self.positive_terms!r}", field="positive_terms", remedy="Give 1 or more."
            )
        if self.other_own_positives and not any("other_positives" in blocks for blocks in denominators):
            raise InputError(
                "other_own_positives has no denominator to stand in",
                field="other_own_positives",
                remedy="Add the block 'other_positives' to a denominator, or set it to False.",
            )
        if self.hardness and not self.hardened_blocks & self.blocks:
            raise InputError(
                "hardness has no block to weigh: no denominator has one of the hardened_blocks",
                field="hardened_blocks",
                remedy="Name a block that a denominator has, or leave it out for all of them.",
            )
        if self.guided and self.margin is None and self.ratio is None:
            raise InputError("a guide has nothing to judge", field="guided", remedy="Give a margin or a ratio.")
        self._check_normalisation()

    def _check_normalisation(self) -> None:
        """What belongs to a softmax is not given to a sigmoid, nor the other way round."""
        if self.normalisation == "softmax":
            wrong, usual = [("bias", self.bias)], "sigmoid"
        else:
            terms = float(self.positive_terms - 1)
            wrong, usual = [("hardness", self.hardness), ("focal", self.focal), ("positive_terms", terms)], "softmax"
        for field, value in wrong:
            if value:
                raise InputError(
                    f"{field} has no meaning with the normalisation {self.normalisation}",
                    field=field,
                    remedy=f"Leave it out, or take the normalisation {usual}.",
                )

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        needs: set[Need] = {"positives", "teacher"} if self.guided else {"positives"}
        if self.hardness and self.hardened_blocks & self.blocks == {"own_negatives"}:
            needs.add("negatives")
        return frozenset(needs)

    @property
    def blocks(self) -> frozenset[Block]:
        """Every block that some denominator has."""
        return frozenset().union(*self.denominators)


_EXAMPLE = "Give, for example, [['own_negatives', 'other_positives']]."


def _blocks(value: Any, field: str) -> frozenset[Block]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InputError(f"{value!r} is not a set of blocks", field=field, remedy=_EXAMPLE)
    blocks = frozenset(value)
    for block in blocks:
        if block not in BLOCKS:
            raise InputError(f"there is no block {block!r}", field=field, remedy=nearest(str(block), BLOCKS))
    return blocks


def check_choice(value: Any, field: str, choices: Iterable[str]) -> None:
    """Refuse what is none of the choices."""
    names = tuple(choices)
    if value not in names:
        raise InputError(f"there is no {field} {value!r}", field=field, remedy=nearest(str(value), names))


def check_number(value: Any, field: str, *, above: float | None = None, least: float | None = None) -> None:
    """Refuse what is no finite number, or one out of bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{field} is {value!r}, not a finite number", field=field)
    if above is not None and not value > above:
        raise InputError(f"{field} is {value!r}", field=field, remedy=f"It must be greater than {above:g}.")
    if least is not None and not value >= least:
        raise InputError(f"{field} is {value!r}", field=field, remedy=f"It must be at least {least:g}.")
