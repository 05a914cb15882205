"""What the scores of a step look like: whether its loss has something to teach, and whether that is right.

Looks at a sample of a step's pairs with the loss's own candidates and masks; nothing here is differentiated.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from cosmith.losses.arguments import teacher_of
from cosmith.losses.candidates import Denominator, Plan, plan
from cosmith.losses.spec import ContrastiveSpec
from cosmith.losses.structure import StepStructure
from cosmith.losses.tiled import score_limit

BINS = 40
"""Bars of a histogram of scores, from -1 to 1."""

_SCORES = 1_000_000  # cells of the sample's score matrix

# The answers of other rows that are not known to be answers here, too: as good as drawn at random.
_OTHER_ANSWERS = ContrastiveSpec(
    denominators=(frozenset({"other_positives"}),),
    temperature=1.0,
    same_text=True,
    known_positives=True,
    same_document=True,
    same_label=True,
)


@dataclasses.dataclass(frozen=True)
class ScoreStatistics:
    """The scores of some pairs of a step.

    Attributes:
        pairs: How many were looked at.
        candidates: Candidates of a pair in its first denominator, on average.
        effective_negatives: Of these, how many take part in the gradient: exp of the entropy of their soft-max.
        hardest_share: The largest share that one candidate has in a pair's gradient, on average.
        masked: Share of the candidates that a score mask left out as false negatives.
        own_above: Share of the rows' own negatives that score above their positive; NaN without own negatives.
        others_above: Share of the other rows' answers that score above the positive, whatever the loss compares: a half
            where the model tells nothing apart; NaN where a step has no two different answers.
        first: Share of the pairs whose positive scores above all candidates.
        repeated_queries: Share of the rows whose query is that of an earlier row of the step.
        repeated_positives: Share of the positives that are there before, but for those that are the text of their own
            query (SimCSE).
        positive_scores, negative_scores, other_scores: Histograms of the pairs' scores, of those of the rows' own
            negatives and of those of all other candidates: counts of :data:`BINS` equal bars from -1 to 1.
    """

    pairs: int
    candidates: float
    effective_negatives: float
    hardest_share: float
    masked: float
    own_above: float
    others_above: float
    first: float
    repeated_queries: float
    repeated_positives: float
    positive_scores: tuple[int, ...]
    negative_scores: tuple[int, ...]
    other_scores: tuple[int, ...]


def score_statistics(
    embeddings: Tensor, structure: StepStructure, spec: ContrastiveSpec, *, pairs: int = 256
) -> ScoreStatistics:
    """Look at the scores of a step's first rows (rows come in random order).

    Args:
        embeddings: [U, D] unit rows.
        structure: Who is whose positive and negative.
        spec: The loss, whose first denominator is looked at.
        pairs: About how many pairs, fewer where there are many candidates.
    """
    values = embeddings.detach().float()
    structure = structure.to(values.device)
    rows = max(1, min(structure.rows, pairs, _SCORES // len(values)))
    planned = plan(structure, spec, 0, rows)
    judge = teacher_of(structure).to(values.dtype) if spec.guided else values
    scores = _Sample.of(values, judge, planned, planned.denominators[0], spec)
    weights = torch.softmax(scores.logits.masked_fill(~scores.kept, -torch.inf), 1).nan_to_num(0.0)
    some = scores.kept.any(1)
    entropy = torch.special.entr(weights).sum(1)[some]
    own = scores.possible & scores.own
    queries, positives = structure.text[structure.query], structure.text[structure.positives]
    possible = int(scores.possible.sum())
    above = scores.above
    other_answers = plan(structure, _OTHER_ANSWERS, 0, rows)
    others = _Sample.of(values, values, other_answers, other_answers.denominators[0], _OTHER_ANSWERS)
    return ScoreStatistics(
        pairs=len(scores.positive),
        candidates=float(scores.kept.sum(1).float().mean()),
        effective_negatives=float(entropy.exp().mean()) if len(entropy) else 0.0,
        hardest_share=float(weights.amax(1)[some].mean()) if len(entropy) else 0.0,
        masked=1.0 - int(scores.kept.sum()) / possible if possible else 0.0,
        own_above=_mean(above[own]),
        others_above=_mean(others.above[others.possible]),
        first=float((~(above & scores.kept).any(1)).float().mean()),
        repeated_queries=_repeated(queries),
        repeated_positives=_repeated(positives[positives != queries[structure.positive_row]]),
        positive_scores=_histogram(scores.positive),
        negative_scores=_histogram(scores.scores[own]),
        other_scores=_histogram(scores.scores[scores.possible & ~scores.own]),
    )


@dataclasses.dataclass(frozen=True)
class _Sample:
    """Pairs × candidates, [P, C]; the cells of the rows' own negatives stand first.

    Attributes:
        positive: [P] the pairs' own scores.
        scores: [P, C].
        logits: [P, C] what stands in the exponent.
        possible: [P, C] whether the cell is a candidate but for the masks by score.
        kept: [P, C] whether it is one after them.
        own: [1 or P, C] whether it is a negative of the pair's own row.
    """

    positive: Tensor
    scores: Tensor
    logits: Tensor
    possible: Tensor
    kept: Tensor
    own: Tensor

    @property
    def above(self) -> Tensor:
        """[P, C] whether the cell scores above the pair."""
        return self.scores > self.positive[:, None]

    @classmethod
    def of(
        cls, values: Tensor, judge: Tensor, planned: Plan, denominator: Denominator, spec: ContrastiveSpec
    ) -> _Sample:
        """From vectors, and from those (often the same) whose scores the masks by score compare."""
        query, positive = values[planned.query], values[planned.positive]
        score = (query * positive).sum(1)
        judge_query, judge_positive = judge[planned.query], judge[planned.positive]
        limit = score_limit((judge_query * judge_positive).sum(1), spec)
        everyone, harder = slice(0, len(score)), 1.0 + spec.hardness * spec.temperature
        parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []  # scores, logits, possible, kept
        mine = 0
        if denominator.own is not None:
            place, negative = denominator.own.entries(everyone)
            column = torch.arange(len(place), device=place.device) - torch.searchsorted(place, place)
            mine = int(column.max()) + 1 if len(column) else 0
            scores = values.new_zeros((len(score), mine))
            possible = torch.zeros_like(scores, dtype=torch.bool)
            scores[place, column] = (query[place] * values[negative]).sum(1)
            possible[place, column] = True
            kept = possible
            if limit is not None and denominator.own.limited:
                judged = torch.zeros_like(scores)
                judged[place, column] = (judge_query[place] * judge[negative]).sum(1)
                kept = possible & ~(judged > limit[:, None])
            logits = scores / spec.temperature
            parts.append((scores, logits * harder if denominator.own.hardened else logits, possible, kept))
        for block in denominator.blocks:
            scores = torch.mm(query if block.by_query else positive, values[block.columns].T)
            possible = ~torch.isneginf(block.mask(scores.clone(), everyone, None))
            judged = torch.mm(judge_query if block.by_query else judge_positive, judge[block.columns].T)
            logits = block.mask(scores / spec.temperature, everyone, limit, judged, harder=harder)
            parts.append((scores, logits, possible, ~torch.isneginf(logits)))
        if not parts:
            nothing = values.new_zeros((len(score), 0))
            parts.append((nothing, nothing, nothing.bool(), nothing.bool()))
        scores, logits, possible, kept = (torch.cat(each, 1) for each in zip(*parts, strict=True))
        own = torch.arange(scores.shape[1], device=scores.device)[None] < mine
        return cls(score, scores, logits, possible, kept, own)


def _mean(marks: Tensor) -> float:
    return float(marks.float().mean()) if len(marks) else float("nan")


def _repeated(texts: Tensor) -> float:
    return 1.0 - len(torch.unique(texts)) / len(texts) if len(texts) else 0.0


def _histogram(scores: Tensor) -> tuple[int, ...]:
    counts = torch.histc(scores.clamp(-1, 1), BINS, -1.0, 1.0)
    return tuple(int(count) for count in counts.tolist())
