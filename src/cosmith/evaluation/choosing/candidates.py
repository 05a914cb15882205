"""From models' names and tasks to a choice: measure each model, score it at each length and in each form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.choosing.choice import Budget, Choice, Option, decide, option_of
from cosmith.evaluation.choosing.cost import ModelCost, measure_cost
from cosmith.evaluation.cut import texts_cut
from cosmith.evaluation.sweeping import StoredFormEncoder
from cosmith.evaluation.tasks import EvaluationTask
from cosmith.phrases import share
from cosmith.retrieval.vector_forms import VECTOR_FORMS, VectorForm, require_forms, stored_bytes

if TYPE_CHECKING:
    from cosmith.models import Encoder, TextEncoder

DEFAULT_MODEL = "all-MiniLM-L6-v2"

_SMALLEST = 32
_STATIC_DIMENSION = 256
_TIMED = 50
_JUDGED_LANGUAGES = 300  # texts of a task
_COVERED = 0.05  # share of a task's texts from which on it says something of a language
_CACHE_BYTES = 2 * 10**9


def choose(
    models: Mapping[str, str],
    tasks: Sequence[EvaluationTask],
    *,
    budget: Budget | None = None,
    dims: Sequence[int] = (),
    precisions: Sequence[str] = VECTOR_FORMS,
    languages: Sequence[str] = (),
    load: Callable[[str, str], Encoder] | None = None,
    remembering: Callable[[TextEncoder], TextEncoder] | None = None,
    precision: str = "auto",
    seed: int = 0,
    resamples: int = 10_000,
) -> Choice:
    """Score models at several lengths and in several forms of their vectors, and recommend one.

    Args:
        models: What to call each → a folder or name that ``Encoder.load`` takes.
        tasks: On what; see :func:`~cosmith.evaluation.choosing.sampled` for parts of large ones.
        budget: What may be spent; None: any amount.
        dims: Lengths to try, of each model those that it has; none: its full one and its halves down to 32.
        precisions: Forms to try: ``float32``, ``int8``, ``binary``.
        languages: Codes of ISO 639-1 that the model will have to read; said is which of them no task tests.
        load: (place, name) → a model; by default ``Encoder.load``.
        remembering: Puts a cache of vectors before a model; by default one in memory.
        precision: In what models compute.
        seed: For intervals and tests.
        resamples: For these.

    Raises:
        InputError: When there is no model or task, a model cannot be loaded, or a length or form makes no sense.
    """
    if not models:
        raise InputError("there is nothing to choose from", field="models")
    if not tasks:
        raise InputError("there is nothing to score on", field="tasks", remedy="Give a task.")
    forms = require_forms(precisions)
    notes, options = list(_untested(languages, tasks)), []
    queries = timed_queries(tasks, seed=seed)
    told = next((task.instruction for task in tasks if task.instruction), "")
    for name, place in models.items():
        encoder = (load or _loader(precision))(place, name)
        lengths_of(encoder, dims, name)  # what cannot be shall fail before anything is measured
        cost = measure_cost(place, queries, precision=precision, instruction=told)
        options += options_of(
            encoder, cost, tasks, dims=dims, forms=forms, name=name, remembering=remembering, seed=seed,
            resamples=resamples,
        )  # fmt: skip
        notes += [f"{name}: {cut.describe()}" for task in tasks for cut in texts_cut(encoder, task) if cut.count]
        del encoder
    return decide(options, budget or Budget(), notes=notes, resamples=resamples, seed=seed)


def options_of(
    encoder: TextEncoder,
    cost: ModelCost,
    tasks: Sequence[EvaluationTask],
    *,
    dims: Sequence[int] = (),
    forms: Sequence[VectorForm] = VECTOR_FORMS,
    name: str,
    remembering: Callable[[TextEncoder], TextEncoder] | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> list[Option]:
    """A model's options; every text is encoded once.

    Raises:
        InputError: When the model has none of the lengths.
    """
    kept = (remembering or _in_memory)(encoder)
    found = []
    for dim in lengths_of(encoder, dims, name):
        for form in forms:
            stored = StoredFormEncoder(kept, dim, form)
            scores = [task.evaluate(stored, seed=seed, resamples=0, model=name) for task in tasks]
            found.append(
                option_of(name, dim, form, stored_bytes(dim, form), cost, scores, resamples=resamples, seed=seed)
            )
    return found


def lengths_of(encoder: TextEncoder, dims: Sequence[int], name: str) -> list[int]:
    """The lengths to try of a model's vectors: those that it has, or its full one and the halves.

    Raises:
        InputError: When it has none of them.
    """
    full = encoder.dimension
    lengths = [dim for dim in sorted(set(dims), reverse=True) if 1 <= dim <= full] if dims else halves(full)
    if not lengths:
        raise InputError(f"{name} has {full} dimensions, fewer than all of {sorted(set(dims))}", field="dims",
                         remedy="Ask for fewer.")  # fmt: skip
    return lengths


def halves(dimension: int) -> list[int]:
    """A length and its halves down to 32: 384 → 384, 192, 96, 48."""
    lengths = [dimension]
    while lengths[-1] // 2 >= _SMALLEST:
        lengths.append(lengths[-1] // 2)
    return lengths


def static_of(encoder: Encoder, folder: Path) -> tuple[str, str]:
    """Make a static model of another one and save it: its name, and its place.

    Args:
        encoder: Whose tokens and vectors.
        folder: Below which to save it.
    """
    from cosmith.models import distil_static

    made = distil_static(encoder, dimension=min(_STATIC_DIMENSION, encoder.dimension))
    made.save(folder / made.name)
    return made.name, str(folder / made.name)


def timed_queries(tasks: Sequence[EvaluationTask], *, seed: int = 0) -> list[str]:
    """Texts to time models by: queries where the tasks have any, else what they have."""
    texts = [part for task in tasks for part in task.texts()]
    asked = [part for part in texts if part.prompt == "query"] or texts
    distinct = list(dict.fromkeys(text for part in asked for text in part.texts))
    chosen = np.random.default_rng(seed).permutation(len(distinct))[:_TIMED]
    return [distinct[number] for number in chosen.tolist()]


def _untested(languages: Sequence[str], tasks: Sequence[EvaluationTask]) -> list[str]:
    """Which languages no task tests, in words."""
    if not languages:
        return []
    from cosmith.data.cleaning.languages import detect_languages

    shares = dict.fromkeys(languages, 0.0)
    for task in tasks:
        texts = [text for part in task.texts() for text in part.texts]
        every = max(1, len(texts) // _JUDGED_LANGUAGES)
        codes = [code for code, _ in detect_languages(texts[::every])]
        shares = {language: max(found, codes.count(language) / len(codes)) for language, found in shares.items()}
    return [
        f"No task tests {language}: at most {share(found)} of the texts of each are in it, so that is a guess."
        for language, found in shares.items()
        if found < _COVERED
    ]


def _loader(precision: str) -> Callable[[str, str], Encoder]:
    from cosmith.models import Encoder

    def load(place: str, name: str) -> Encoder:
        encoder = Encoder.load(place, precision=precision)  # type: ignore[arg-type]
        encoder.name = name
        return encoder

    return load


def _in_memory(encoder: TextEncoder) -> TextEncoder:
    from cosmith.models import CachedEncoder, VectorCache

    return CachedEncoder(encoder, VectorCache(None, memory_bytes=_CACHE_BYTES), frozen=True)
