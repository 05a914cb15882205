"""What smaller vectors cost: a model's score at several lengths and in several forms of its vectors.

Every text is encoded once; shorter and coarser vectors are made of the full ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.scores import Scores, asked
from cosmith.evaluation.significance import Comparison
from cosmith.evaluation.tables import markdown_table, terminal_table
from cosmith.models.similarity import Similarity, encode_unscaled, leaves_unit_rows, similarity_of
from cosmith.retrieval.makers import model_name
from cosmith.retrieval.vector_forms import VectorForm, as_stored, int8_codes, require_forms, stored_bytes

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.task import EvaluationTask
    from cosmith.models import TextEncoder


class StoredFormEncoder:
    """A :class:`~cosmith.models.TextEncoder` whose vectors are scored as if they had been stored in a smaller form.

    Args:
        encoder: Makes the full vectors; best one that makes none twice.
        dimension: Keep so many numbers of each and make them unit length again.
        form: The form; see :func:`cosmith.retrieval.vector_forms.as_stored` for what is compared of it.
    """

    def __init__(self, encoder: TextEncoder, dimension: int, form: VectorForm) -> None:
        self.encoder, self.dimension, self.form = encoder, dimension, form

    @property
    def name(self) -> str:
        """What it is called in tables, e.g. ``all-MiniLM-L6-v2, 128 int8``."""
        return f"{model_name(self.encoder)}, {self.dimension} {self.form}"

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read."""
        return self.encoder.max_length

    @property
    def similarity(self) -> Similarity:
        """By what the encoder's vectors are compared."""
        return similarity_of(self.encoder)

    @property
    def normalises(self) -> bool:
        """Whether the encoder has no other vectors than those of length one."""
        return leaves_unit_rows(self.encoder)

    def fingerprint(self) -> str:
        """The encoder's, with the form."""
        return f"{self.encoder.fingerprint()}-{self.dimension}-{self.form}"

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.TextEncoder.encode`; ``int8`` and ``binary`` rows are those of ``as_stored``.

        The scale of int8 is that of the texts of one call: of all documents, of all queries.
        """
        vectors = self.encoder.encode(
            texts, prompt=prompt, instruction=instruction, dim=self._width(dim), show_progress=show_progress
        )
        # What is not finite is passed on for the task to refuse with its text.
        return as_stored(vectors, self.form) if np.isfinite(vectors).all() else vectors

    def encode_unscaled(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.similarity.UnscaledEncoder.encode_unscaled`: of a model that does not normalise,
        ``int8`` rows are what the codes stand for, and ``binary`` ones those of ``as_stored``, which have no lengths.
        """
        if self.normalises:
            return self.encode(texts, prompt=prompt, instruction=instruction, dim=dim, show_progress=show_progress)
        vectors = encode_unscaled(
            self.encoder, texts, prompt=prompt, instruction=instruction, dim=self._width(dim),
            show_progress=show_progress,
        )  # fmt: skip
        if self.form == "int8" and np.isfinite(vectors).all():
            codes, scale = int8_codes(vectors)
            return np.asarray(codes * np.float32(scale), dtype=np.float32)
        return as_stored(vectors, self.form)

    def _width(self, dim: int | None) -> int:
        return self.dimension if dim is None else min(dim, self.dimension)


@dataclass(frozen=True)
class SearchCost:
    """What a search of vectors in a form takes and misses.

    Attributes:
        recall: The share of the ``k`` nearest by the full vectors in float32 that it finds.
        k: How many.
        finer_bytes: Of a vector, in what only candidates are looked up in.
        build_seconds: Of processor time, to fit and code the vectors, and to build what is searched.
        queries_per_second: Of processor time, one after another.
    """

    recall: float
    k: int
    finer_bytes: float
    build_seconds: float
    queries_per_second: float


@dataclass(frozen=True)
class SweptForm:
    """One form and what the model scores in it.

    Attributes:
        name: What it is called in tables.
        dimension: Numbers of a vector.
        form: How each is stored.
        bytes: Of a vector, in what is searched.
        scores: The scores.
        change: What it has over the full vectors in float32, item by item; None for these themselves, and where the
            items that count are not the same.
        cost: What its search takes and misses; None where nothing was searched in the form.
    """

    name: str
    dimension: int
    form: str
    bytes: float
    scores: Scores
    change: Comparison | None
    cost: SearchCost | None = None


@dataclass(frozen=True)
class Sweep:
    """The scores of a model on a task in several forms.

    Attributes:
        task: The task.
        model: The model.
        forms: The full vectors in float32 first, then the others, longer ones before shorter ones.
    """

    task: str
    model: str
    forms: tuple[SweptForm, ...]

    def table(self) -> str:
        """Forms down, for a terminal."""
        return terminal_table(*self._cells())

    def markdown(self) -> str:
        """The same as a Markdown table."""
        return markdown_table(*self._cells())

    def to_dict(self) -> dict[str, Any]:
        """As what JSON can hold; without the values by item, which the scores' own files have."""
        rows = []
        for each in self.forms:
            scores, change = each.scores, each.change
            interval = scores.intervals.get(scores.main)
            rows.append({
                "name": each.name, "dim": each.dimension, "precision": each.form, "bytes": each.bytes,
                "main": scores.main, "value": scores.value,
                "interval": None if interval is None else [interval.low, interval.high],
                "values": dict(scores.values),
                "change": None if change is None else {
                    "difference": change.difference, "low": change.interval.low if change.has_interval else None,
                    "high": change.interval.high if change.has_interval else None, "p_value": change.p_value,
                },
                "search": None if each.cost is None else asdict(each.cost),
            })  # fmt: skip
        return {"task": self.task, "model": self.model, "forms": rows}

    def _cells(self) -> tuple[str, list[str], list[list[str]]]:
        full = self.forms[0].scores
        title = f"{self.task}, {self.model}, {asked([full])}"
        rows = []
        for each in self.forms:
            interval = each.scores.intervals.get(full.main)
            value = f"{each.scores.value:.4f}" + (f" {interval}" if interval else "")
            rows.append([each.name, _stored(each), value, _changed(each.change), *_costs(each)])
        header = ["vectors", "bytes", full.main, "over the full ones"]
        if cost := self.forms[0].cost:
            header += [f"nearest {cost.k} found", "build CPU s", "queries/CPU s"]
        return title, header, rows


def _changed(change: Comparison | None) -> str:
    if change is None:
        return ""
    return f"{change.difference:+.4f}" + (f" {change.interval}" if change.has_interval else "")


def _stored(each: SweptForm) -> str:
    finer = f" + {each.cost.finer_bytes:,.0f}" if each.cost and each.cost.finer_bytes else ""
    return f"{each.bytes:,.0f}{finer}"


def _costs(each: SweptForm) -> list[str]:
    cost = each.cost
    if cost is None:
        return []
    return [f"{cost.recall:.3f}", f"{cost.build_seconds:.2f}", f"{cost.queries_per_second:,.0f}"]


def change_from(first: SweptForm | None, scores: Scores, *, resamples: int, seed: int) -> Comparison | None:
    """What a form's scores have over those of the first; None where there is none, or no item counts in both.

    Of summaries, those whose cosines are all equal are left out, and which these are may depend on the form.
    """
    if first is None or not resamples or not scores.can_pair(first.scores):
        return None
    return scores.compare(first.scores, resamples=resamples, seed=seed)


def remembered(encoder: TextEncoder) -> TextEncoder:
    """The encoder with a cache in memory before it, where it has none: forms are made of vectors made once."""
    from cosmith.models import CachedEncoder, VectorCache

    if isinstance(encoder, CachedEncoder):
        return encoder
    return CachedEncoder(encoder, VectorCache(None, memory_bytes=_MEMORY_BYTES), frozen=True)


def sweep(
    encoder: TextEncoder,
    task: EvaluationTask,
    *,
    dims: Sequence[int] = (),
    precisions: Sequence[str] = ("float32",),
    seed: int = 0,
    resamples: int = 10_000,
    model: str | None = None,
) -> Sweep:
    """Score a model with its vectors cut to several lengths and stored in several forms.

    Args:
        encoder: Makes the vectors, each once.
        task: On what.
        dims: How many numbers of each vector to keep; none: all.
        precisions: ``float32``, ``int8`` (one scale, symmetric) or ``binary`` (signs, compared by Hamming distance).
        seed: For the intervals.
        resamples: For the intervals; 0 leaves them out, and the comparisons.
        model: What to call the encoder; by default its own name.

    Returns:
        A row for each length and form, and one for the full vectors in float32, with which all others are compared.

    Raises:
        InputError: When a length is not between 1 and the model's, or there is no such form.
    """
    forms = require_forms(precisions)
    full = encoder.dimension
    wrong = next((dim for dim in dims if not 1 <= dim <= full), None)
    if wrong is not None:
        raise InputError(f"{wrong} is not between 1 and the model's {full}", field="dims", remedy="Ask for fewer.")
    name = model or model_name(encoder)
    encoder = remembered(encoder)
    asked = [(dim, form) for dim in sorted(set(dims) or {full}, reverse=True) for form in dict.fromkeys(forms)]
    found: list[SweptForm] = []
    for dim, form in dict.fromkeys([(full, "float32"), *asked]):
        called = name if not found else f"{name}, {dim} {form}"
        scores = task.evaluate(StoredFormEncoder(encoder, dim, form), seed=seed, resamples=resamples, model=called)
        change = change_from(found[0] if found else None, scores, resamples=resamples, seed=seed)
        found.append(SweptForm(f"{dim} {form}", dim, form, stored_bytes(dim, form), scores, change))
    return Sweep(task.name, name, tuple(found))


_MEMORY_BYTES = 2 * 10**9
"""Of full vectors, where no cache is given: a million of 384 numbers."""
