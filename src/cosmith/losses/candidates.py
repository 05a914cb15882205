"""Which texts stand in the denominators of which pair: the integer half of the contrastive loss.

Nothing here looks at an embedding. All of it is sorted lists of (key, embedding) numbers, looked up for one tile of
pairs at a time, so that no pairs × candidates mask of a whole step is ever made.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from cosmith.losses.spec import QUERY_TO_DOCUMENT, Block, ContrastiveSpec
from cosmith.losses.structure import StepStructure

_NONE = slice(0, 0)


@dataclasses.dataclass(frozen=True)
class Lookup:
    """A relation between keys 0… and embeddings 0…U-1, as sorted distinct codes ``key * U + embedding``.

    A negative key is related to nothing.
    """

    codes: Tensor
    embeddings: int

    @classmethod
    def of(cls, keys: Tensor, values: Tensor, embeddings: int) -> Lookup:
        """The relation of ``keys[i]`` to ``values[i]``, [n] each, among this many embeddings."""
        codes = keys * embeddings + values
        return cls(torch.unique(codes[keys >= 0]), embeddings)

    @property
    def keys(self) -> Tensor:
        """[entries] the key of each entry, ascending."""
        return self.codes // self.embeddings

    @property
    def values(self) -> Tensor:
        """[entries] the embedding of each entry."""
        return self.codes % self.embeddings

    def where(self, kept: Tensor) -> Lookup:
        """The relation with only the entries that the boolean vector ``kept`` marks."""
        return Lookup(self.codes[kept], self.embeddings)

    def union(self, other: Lookup) -> Lookup:
        """What either of two relations over the same embeddings holds."""
        return Lookup(torch.unique(torch.cat([self.codes, other.codes])), self.embeddings)

    def counts(self) -> Tensor:
        """[U] the number of keys of each embedding."""
        return torch.bincount(self.values, minlength=self.embeddings)

    def spread(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """All (place in ``keys``, embedding) such that the key at that place is related to the embedding."""
        start, count = self._ranges(keys)
        place = torch.repeat_interleave(count)
        before = count.cumsum(0) - count
        entry = torch.arange(len(place), device=keys.device) + (start - before)[place]
        return place, self.codes[entry] % self.embeddings

    def degree(self, keys: Tensor) -> Tensor:
        """How many embeddings each key is related to."""
        return self._ranges(keys)[1]

    def has(self, keys: Tensor, values: Tensor) -> Tensor:
        """Whether each key is related to the embedding beside it."""
        if len(self.codes) == 0:
            return torch.zeros_like(keys, dtype=torch.bool)
        codes = keys * self.embeddings + values
        entry = torch.searchsorted(self.codes, codes).clamp_(max=len(self.codes) - 1)
        return (self.codes[entry] == codes) & (keys >= 0)

    def _ranges(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        first = keys.clamp(min=-1) * self.embeddings
        start = torch.searchsorted(self.codes, first)
        return start, torch.searchsorted(self.codes, first + self.embeddings) - start


@dataclasses.dataclass(frozen=True)
class Rule:
    """For each pair a key, and what a key is related to: these embeddings are left out (or kept) for that pair."""

    keys: Tensor
    lookup: Lookup

    def cells(self, tile: slice, column_of: Tensor, columns: int) -> Tensor:
        """The flat positions in a [tile, columns] matrix that the rule speaks of."""
        place, embedding = self.lookup.spread(self.keys[tile])
        column = column_of[embedding]
        return (place * columns + column)[column >= 0]


@dataclasses.dataclass(frozen=True)
class Candidates:
    """A block of a score matrix: pairs × columns, all of which are candidates but for what the rules leave out.

    Attributes:
        by_query: Whether the scores are those of the pair's query (else: of its positive).
        columns: [C] embeddings.
        column_of: [U] column of each embedding, -1 for none.
        left_out: Rules; their cells are -inf.
        kept: A rule whose cells are never masked by ``left_out`` or by score.
        itself: Rules that come last: the pair's own two texts.
        limited: The columns that the score masks apply to.
        hardened: The columns whose logits are made harder.
    """

    by_query: bool
    columns: Tensor
    column_of: Tensor
    left_out: tuple[Rule, ...]
    kept: Rule | None
    itself: tuple[Rule, ...]
    limited: slice
    hardened: slice

    def mask(
        self, scores: Tensor, tile: slice, limit: Tensor | None, judged: Tensor | None = None, *, harder: float = 1.0
    ) -> Tensor:
        """Put -inf over what is no candidate, in place.

        Args:
            scores: [tile, C] contiguous.
            tile: Which pairs.
            limit: [tile] what scores above it is left out; None: nothing is.
            judged: [tile, C] the scores to hold against the limit, where they are not these.
            harder: What the hardened columns are multiplied with once they are held against the limit.
        """
        flat, width = scores.view(-1), scores.shape[1]
        kept = None if self.kept is None else self.kept.cells(tile, self.column_of, width)
        saved = None if kept is None else flat[kept]
        if limit is not None and self.limited != _NONE:
            likeness = (scores if judged is None else judged)[:, self.limited]
            scores[:, self.limited].masked_fill_(likeness > limit[:, None], -torch.inf)
        if harder != 1.0 and self.hardened != _NONE:
            scores[:, self.hardened].mul_(harder)
        for rule in self.left_out:
            flat.index_fill_(0, rule.cells(tile, self.column_of, width), -torch.inf)
        if kept is not None and saved is not None:
            flat[kept] = saved
        for rule in self.itself:
            flat.index_fill_(0, rule.cells(tile, self.column_of, width), -torch.inf)
        return scores


@dataclasses.dataclass(frozen=True)
class OwnNegatives:
    """The negatives of each pair's own row: few and ragged, so they are scored one by one.

    Attributes:
        rule: The negatives that the row has.
        left_out: Rules; what they relate is no candidate.
        limited: Whether the score masks apply.
        hardened: Whether their logits are made harder.
    """

    rule: Rule
    left_out: tuple[Rule, ...]
    limited: bool
    hardened: bool

    def entries(self, tile: slice) -> tuple[Tensor, Tensor]:
        """All (place in the tile, embedding of a negative)."""
        place, embedding = self.rule.lookup.spread(self.rule.keys[tile])
        wanted = torch.ones_like(place, dtype=torch.bool)
        for rule in self.left_out:
            wanted &= ~rule.lookup.has(rule.keys[tile][place], embedding)
        return place[wanted], embedding[wanted]

    def degree(self) -> Tensor:
        """How many each pair has at most."""
        return self.rule.lookup.degree(self.rule.keys)


@dataclasses.dataclass(frozen=True)
class Denominator:
    """What shares one soft-max with the pair's own score: the row's own negatives, and blocks of score matrices."""

    own: OwnNegatives | None
    blocks: tuple[Candidates, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All pairs of some rows of a step, and their denominators.

    Attributes:
        query: [P] embedding of the pair's query; pairs stand in the order of their rows.
        positive: [P] embedding of the pair's positive.
        weight: [P] share in the mean over all rows of the step, float64.
        denominators: What stands in each.
    """

    query: Tensor
    positive: Tensor
    weight: Tensor
    denominators: tuple[Denominator, ...]


def plan(structure: StepStructure, spec: ContrastiveSpec, first: int, last: int) -> Plan:
    """The pairs of rows ``first`` to ``last`` (exclusive) and their candidates among the texts of the whole step."""
    return _Planner(structure, spec, first, last).plan()


class _Planner:
    """What the denominators of a step share while they are laid out."""

    def __init__(self, structure: StepStructure, spec: ContrastiveSpec, first: int, last: int) -> None:
        size = structure.embeddings
        self.structure, self.spec = structure, spec
        self.positives = Lookup.of(structure.positive_row, structure.positives, size)
        self.negatives = Lookup.of(structure.negative_row, structure.negatives, size)
        # A row's positive is never its negative, should it be given as both.
        self.negatives = self.negatives.where(~self.positives.has(self.negatives.keys, self.negatives.values))
        row, positive = self.positives.keys, self.positives.values
        share = torch.bincount(row, minlength=structure.rows)[row].double().mul_(structure.rows).reciprocal_()
        chosen = (row >= first) & (row < last)
        self.row, self.positive, self.weight = row[chosen], positive[chosen], share[chosen]
        self.query = structure.query[self.row]
        everything = torch.arange(size, device=row.device)
        identity = Lookup.of(everything, everything, size)
        self.itself = (Rule(self.query, identity), Rule(self.positive, identity))
        self.either, self.documents, self.queries = self._masks()

    def plan(self) -> Plan:
        denominators = tuple(self._denominator(blocks) for blocks in self.spec.denominators)
        return Plan(self.query, self.positive, self.weight, denominators)

    def _masks(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...], tuple[Rule, ...]]:
        """The rules for all candidates, for documents, and for queries."""
        structure, spec = self.structure, self.spec
        size = structure.embeddings
        everything = torch.arange(size, device=structure.text.device)
        either: list[Rule] = []
        documents: list[Rule] = []
        queries: list[Rule] = []
        if spec.same_text:
            text = torch.unique(structure.text, return_inverse=True)[1]
            lookup = Lookup.of(text, everything, size)
            either += [Rule(text[self.query], lookup), Rule(text[self.positive], lookup)]
        if spec.same_document and structure.document_group is not None:
            group = numbered(structure.document_group)
            either.append(Rule(group[self.positive], Lookup.of(group, everything, size)))
        if spec.known_positives:
            query = torch.cat([structure.known_query, structure.query[structure.positive_row]])
            document = torch.cat([structure.known_document, structure.positives])
            documents.append(Rule(self.query, Lookup.of(query, document, size)))
            queries.append(Rule(self.positive, Lookup.of(document, query, size)))
        if spec.same_label and structure.label is not None:
            label = numbered(structure.label)
            labelled = Lookup.of(label[structure.positive_row], structure.positives, size)
            documents.append(Rule(label[self.row], labelled))
            queries.append(Rule(label[self.row], Lookup.of(label, structure.query, size)))
        return tuple(either), tuple(documents), tuple(queries)

    def _denominator(self, blocks: frozenset[Block]) -> Denominator:
        own = None
        if "own_negatives" in blocks and len(self.negatives.codes):
            left_out = (*self.itself, *self.either, *self.documents)
            limited, hardened = (
                "own_negatives" in chosen for chosen in (self.spec.masked_blocks, self.spec.hardened_blocks)
            )
            own = OwnNegatives(Rule(self.row, self.negatives), left_out, limited, hardened)
        found = [
            self._query_to_documents(blocks) if blocks & (QUERY_TO_DOCUMENT - {"own_negatives"}) else None,
            self._queries(by_query=True) if "queries" in blocks else None,
            self._positive_to_documents() if "documents" in blocks else None,
            self._queries(by_query=False) if "positive_to_queries" in blocks else None,
        ]
        return Denominator(own, tuple(block for block in found if block is not None and len(block.columns)))

    def _query_to_documents(self, blocks: frozenset[Block]) -> Candidates:
        """Other rows' documents: first the columns that are someone's positive, then those that are not."""
        as_positive = self.positives.counts() * ("other_positives" in blocks)
        as_negative = self.negatives.counts() * ("other_negatives" in blocks)
        first = as_positive.nonzero()[:, 0]
        columns = torch.cat([first, ((as_negative > 0) & (as_positive == 0)).nonzero()[:, 0]])
        # A negative of the row itself stands here only if another row brings it, and not if it is in own_negatives.
        mine = self.negatives.values
        brought = (as_positive[mine] == 0) & (as_negative[mine] <= 1)
        own_negatives = self.negatives if "own_negatives" in blocks else self.negatives.where(brought)
        left_out = Rule(self.row, self.positives.union(own_negatives))
        keep = self.spec.other_own_positives and "other_positives" in blocks
        kept = Rule(self.row, self.positives) if keep else None
        sections: list[tuple[Block, int]] = [
            ("other_positives", len(first)), ("other_negatives", len(columns) - len(first)),
        ]  # fmt: skip
        return self._candidates(True, columns, sections, (left_out, *self.either, *self.documents), kept)

    def _positive_to_documents(self) -> Candidates:
        documents = self.positives
        if self.spec.documents_with_negatives:
            documents = documents.union(self.negatives)
        rows = documents.counts()
        alone = documents.where(rows[documents.values] == 1)
        left_out = Rule(self.row, self.positives.union(alone))
        columns = rows.nonzero()[:, 0]
        left_outs = (left_out, *self.either, *self.documents)
        return self._candidates(False, columns, [("documents", len(columns))], left_outs)

    def _queries(self, by_query: bool) -> Candidates:
        columns = torch.unique(self.structure.query)
        block: Block = "queries" if by_query else "positive_to_queries"
        return self._candidates(by_query, columns, [(block, len(columns))], (*self.either, *self.queries))

    def _candidates(
        self,
        by_query: bool,
        columns: Tensor,
        sections: Sequence[tuple[Block, int]],
        left_out: tuple[Rule, ...],
        kept: Rule | None = None,
    ) -> Candidates:
        """Candidates whose columns are those of at most two blocks, one behind the other, so many each."""
        size = self.structure.embeddings
        column_of = torch.full((size,), -1, dtype=torch.int64, device=columns.device)
        column_of[columns] = torch.arange(len(columns), device=columns.device)
        limited, hardened = (
            _columns_of(chosen, sections) for chosen in (self.spec.masked_blocks, self.spec.hardened_blocks)
        )
        return Candidates(by_query, columns, column_of, left_out, kept, self.itself, limited, hardened)


def _columns_of(chosen: frozenset[Block], sections: Sequence[tuple[Block, int]]) -> slice:
    """The columns of the chosen blocks; of at most two blocks they are always contiguous."""
    ends = list(itertools.accumulate((width for _, width in sections), initial=0))
    inside = [(ends[place], ends[place + 1]) for place, (block, _) in enumerate(sections) if block in chosen]
    return slice(inside[0][0], inside[-1][1]) if inside and inside[-1][1] > inside[0][0] else _NONE


def numbered(values: Tensor) -> Tensor:
    """Number the distinct values 0…, so that a key times U cannot overflow; negative ones are -1."""
    numbers = torch.unique(values, return_inverse=True)[1]
    return torch.where(values < 0, -1, numbers)
