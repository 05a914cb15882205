"""Pairs from documents that nobody has asked anything about, in as many forms as are asked for.

Weak pairs are what embedding models are pre-trained on by the hundred million (E5, arXiv:2212.03533, Section 3.1; GTE,
arXiv:2308.03281, Section 3.2). They are no questions of real users: what they teach is which texts go together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cosmith.data.documents import Document
from cosmith.data.ragged import Int64
from cosmith.data.rows import TrainingRow
from cosmith.data.weak_supervision.anchor import Anchor, AnchorTexts
from cosmith.data.weak_supervision.choosing import KEPT, REASONS, Candidates, PairLimits, chosen, problem_of
from cosmith.data.weak_supervision.co_clicked import Clicked, CoClicked, co_clicked_pairs
from cosmith.data.weak_supervision.forms import DEFAULT_FORMS, FORMS, Form, form_named, name_of_form
from cosmith.data.weak_supervision.forum import Forum, Thread, thread_pairs
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.spill import Spill
from cosmith.errors import InputError
from cosmith.phrases import counted

PROSE = frozenset({"markdown", "html", "text", "rst", "pdf"})
"""Formats of documents that are made of sentences; the others are programming languages."""

_EXAMPLES = 3


@dataclass(frozen=True)
class FormCounts:
    """What became of a form's candidates: ``candidates == kept + sum(dropped.values())``.

    Attributes:
        candidates: Places in the documents that look like the form.
        kept: The pairs that came of them.
        dropped: Reason → how many were left out for it, the commonest first.
    """

    candidates: int
    kept: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class WeakPairs:
    """What :func:`weak_pairs` made of some documents. The pairs stand on the disk until this object is no more.

    Attributes:
        documents: How many documents there were.
        counts: Name of a form → what became of its candidates, in the order in which the forms were asked for.
    """

    documents: int
    counts: Mapping[str, FormCounts]
    _spill: Spill
    _kept: Mapping[str, Int64]  # form → numbers in the spill

    def __len__(self) -> int:
        """How many pairs there are."""
        return sum(map(len, self._kept.values()))

    @property
    def pairs(self) -> Iterator[Pair]:
        """The pairs with where they are from, anew at each call, document by document."""
        return map(self._pair, np.sort(np.concatenate([*self._kept.values()])).tolist())

    @property
    def rows(self) -> Iterator[TrainingRow]:
        """The pairs as training rows, anew at each call."""
        return (pair.row() for pair in self.pairs)

    @cached_property
    def examples(self) -> Mapping[str, tuple[Pair, ...]]:
        """Name of a form → some of its pairs, evenly spread."""
        return {
            name: tuple(map(self._pair, numbers[:: max(1, len(numbers) // _EXAMPLES)][:_EXAMPLES].tolist()))
            for name, numbers in self._kept.items()
        }

    def _pair(self, number: int) -> Pair:
        return Pair(*self._spill[number])


def weak_pairs(
    documents: Iterable[Document] = (),
    forms: Sequence[str | Mapping[str, Any] | Form] = DEFAULT_FORMS,
    *,
    limits: PairLimits | None = None,
    clicks: Iterable[Clicked] | None = None,
    threads: Iterable[Thread] | None = None,
    folder: Path | None = None,
) -> WeakPairs:
    """Make pairs of documents in several forms; the same pair is kept once, a query that many documents share never.

    By default the title of each document finds its body or, where there is no title, its first sentence the rest.
    Documents are gone through once and may be more than memory holds: texts of candidates stand on the disk until it
    is known which are kept. In memory are 42 bytes a candidate, and about 100 while it is decided (form ``anchor``:
    besides 16 bytes a document and 36 a link; ``co-clicked``: 40 a row of the log and 48 a pair).

    Args:
        documents: The documents, each with an id of its own.
        forms: Names of forms (:data:`FORMS`), or :class:`Title`, :class:`Heading` and so on with settings, or
            mappings of a name and settings; of what several forms find, that named first has it.
        limits: What holds for all forms.
        clicks: For the form ``co-clicked``: queries with the document that was chosen, and how often.
        threads: For the form ``forum``.
        folder: Where texts stand meanwhile; by default where the system puts temporary files.

    Raises:
        InputError: When a form is unknown, named twice or lacks what it is made of, when clicks or threads are given
            and no form uses them, or when no candidate gives a pair.
    """
    limits = limits or PairLimits()
    asked = _named(forms)
    _require_use(asked, {"co-clicked": ("clicks", clicks), "forum": ("threads", threads)})
    spill, candidates = Spill(folder), Candidates()
    dropped: dict[str, Counter[str]] = {name: Counter() for name in asked}
    number_of = {name: number for number, name in enumerate(asked)}
    seen = _Counting(documents)
    for pair in _candidates(seen, asked, clicks or (), threads or (), folder):
        if pair.problem:
            dropped[pair.form][pair.problem] += 1
            continue
        least = 1 if FORMS[pair.form].finds_queries else limits.shortest_document
        problem = problem_of(pair, least)
        candidates.add(pair, number_of[pair.form], problem)
        if problem == KEPT:
            spill.add([pair.form, pair.query, pair.positive, pair.document, pair.origin, pair.start, pair.stop])
        else:
            spill.skip()
    outcome = chosen(candidates, [FORMS[name].finds_queries for name in asked], limits)
    of_form = np.array(candidates.form, dtype=np.uint8)
    kept = {name: np.flatnonzero((of_form == number) & (outcome == KEPT)) for name, number in number_of.items()}
    for name, number in number_of.items():
        found, sizes = np.unique(outcome[of_form == number], return_counts=True)
        dropped[name].update({REASONS[reason]: int(size) for reason, size in zip(found, sizes, strict=True) if reason})
    counts = {
        name: FormCounts(len(kept[name]) + dropped[name].total(), len(kept[name]), dict(dropped[name].most_common()))
        for name in asked
    }
    if not any(map(len, kept.values())):
        raise _nothing(seen.count, counts)
    return WeakPairs(seen.count, counts, spill, kept)


class _Counting:
    """Documents, counted as they go by."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents, self.count = documents, 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.count += 1
            yield document


def _candidates(
    documents: Iterable[Document],
    forms: Mapping[str, Form],
    clicks: Iterable[Clicked],
    threads: Iterable[Thread],
    folder: Path | None,
) -> Iterator[Pair]:
    """What all forms find: document by document, then what is found in several of them together."""
    of_document = [
        (make, form, FORMS[name].prose) for name, form in forms.items() if (make := FORMS[name].of_document) is not None
    ]
    anchors = [AnchorTexts(form, folder) for form in forms.values() if isinstance(form, Anchor)]
    for document in documents:
        is_prose = document.format in PROSE
        for make, form, prose in of_document:
            if is_prose or not prose:
                yield from make(document, form)
        for each in anchors:
            yield from each.see(document)
    for each in anchors:
        yield from each.pairs()
    for form in forms.values():
        if isinstance(form, Forum):
            yield from thread_pairs(threads, form)
        elif isinstance(form, CoClicked):
            yield from co_clicked_pairs(clicks, form, folder)


def _named(forms: Sequence[str | Mapping[str, Any] | Form]) -> dict[str, Form]:
    named: dict[str, Form] = {}
    for said in forms:
        form = form_named(said)
        name = name_of_form(form)
        if name in named:
            raise InputError(f"the form {name} is named twice", field="forms", remedy="Name it once.")
        named[name] = form
    if not named:
        raise InputError("no form is named", field="forms", remedy=f"Name some of: {', '.join(FORMS)}.")
    return named


def _require_use(forms: Mapping[str, Form], materials: Mapping[str, tuple[str, object]]) -> None:
    """Refuse a form without what it is made of, and what no form is made of."""
    for name, (material, given) in materials.items():
        if name in forms and given is None:
            raise InputError(f"the form {name} is made of {material}, which are not given", field=material,
                             remedy="Give them, or leave the form out.")  # fmt: skip
        if name not in forms and given is not None:
            raise InputError(f"{material} are given, which only the form {name} uses", field=material,
                             remedy="Name that form as well, or leave them out.")  # fmt: skip


def _nothing(documents: int, counts: Mapping[str, FormCounts]) -> InputError:
    told = [
        f"{name}: {counted(each.candidates, 'candidate')}"
        + "".join(f", {number:,} left out ({reason})" for reason, number in each.dropped.items())
        for name, each in counts.items()
    ]
    return InputError(
        f"none of the documents ({documents:,}) gives a pair; {'; '.join(told)}",
        field="texts",
        remedy="Give longer documents, name other forms, or learn from the texts themselves (self-pairs, with the loss "
        "simcse).",
    )
