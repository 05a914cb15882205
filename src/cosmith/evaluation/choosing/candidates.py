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
from cosmith.models.similarity import similarity_of
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
    static_in: Path | None = None,
    load: Callable[[str, str], Encoder] | None = None,
    remembering: Callable[[TextEncoder], TextEncoder] | None = None,
    precision: str = "auto",
    seed: int = 0,
    resamples: int = 10_000,
) -> Choice:
    """Score models at several lengths and in several forms of their vectors, and recommend one.

    All models are loaded once before anything is scored or measured, so that one that cannot be is known then.

    Args:
        models: What to call each → a folder or name that ``Encoder.load`` takes, or a file of word vectors.
        tasks: On what; see :func:`~cosmith.evaluation.choosing.sampled` for parts of large ones.
        budget: What may be spent; None: any amount.
        dims: Lengths to try, of each model those that it has, and no model that has none of them; none: its full one
            and its halves down to 32.
        precisions: Forms to try: ``float32``, ``int8``, ``binary``.
        languages: Codes of ISO 639-1 that the model will have to read; said is which of them no task tests.
        static_in: Also try a static model made of the first one, saved below this folder; None: do not.
        load: (place, name) → a model; by default in torch, on the CPU.
        remembering: Puts a cache of vectors before a model; by default one in memory.
        precision: In what models compute.
        seed: For intervals and tests.
        resamples: For these.

    Raises:
        InputError: When there is no model or task, a model cannot be loaded or makes no vector of a text, no model has
            one of the lengths, or a form makes no sense.
    """
    if not models:
        raise InputError("there is nothing to choose from", field="models")
    if not tasks:
        raise InputError("there is nothing to score on", field="tasks", remedy="Give a task.")
    forms, load = require_forms(precisions), load or _loader(precision)
    places = dict(models)
    dimensions = {name: _dimension_of(place, name, load) for name, place in places.items()}
    base = next(iter(places))
    if static_in is not None:
        dimensions[_static_name(base)] = _static_dimension(dimensions[base])
    lengths, notes = lengths_to_try(dimensions, dims)
    notes += _untested(languages, tasks)
    if static_in is not None and _static_name(base) in lengths:
        name, place = static_of(load(places[base], base), static_in)
        places[name] = place
    queries = timed_queries(tasks, seed=seed)
    told = next((task.instruction for task in tasks if task.instruction), "")
    options: list[Option] = []
    for name in lengths:
        encoder = load(places[name], name)
        stored, left_out = storable(encoder, forms, name)
        notes += left_out
        cost = measure_cost(places[name], queries, precision=precision, instruction=told)
        options += options_of(
            encoder, cost, tasks, dims=lengths[name], forms=stored, name=name, remembering=remembering, seed=seed,
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
    dims: Sequence[int],
    forms: Sequence[VectorForm] = VECTOR_FORMS,
    name: str,
    remembering: Callable[[TextEncoder], TextEncoder] | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> list[Option]:
    """A model's options, at these lengths of its vectors; every text is encoded once."""
    kept = (remembering or _in_memory)(encoder)
    found = []
    for dim in dims:
        for form in forms:
            stored = StoredFormEncoder(kept, dim, form)
            scores = [task.evaluate(stored, seed=seed, resamples=0, model=name) for task in tasks]
            found.append(
                option_of(name, dim, form, stored_bytes(dim, form), cost, scores, resamples=resamples, seed=seed)
            )
    return found


def storable(encoder: TextEncoder, forms: Sequence[VectorForm], name: str) -> tuple[list[VectorForm], list[str]]:
    """The forms in which a model's vectors can be searched, and those that are left out, in words."""
    similarity = similarity_of(encoder)
    if similarity == "cosine" or set(forms) == {"float32"}:
        return list(forms), []
    coarse = ", ".join(form for form in forms if form != "float32")
    note = (
        f"{name} is compared by {similarity}, and vectors in coarser forms by cosine, so {coarse} is not tried of it."
    )
    return ["float32"], [note]


def lengths_to_try(dimensions: Mapping[str, int], dims: Sequence[int]) -> tuple[dict[str, list[int]], list[str]]:
    """The lengths to try of each model's vectors, longest first, and which models are left out of some, in words.

    Args:
        dimensions: Model → the length of its vectors.
        dims: What was asked for; none: the full length of each and the halves.

    Raises:
        InputError: When no model has any of them.
    """
    if not dims:
        return {name: halves(full) for name, full in dimensions.items()}, []
    asked = sorted(set(dims), reverse=True)
    found = {name: [dim for dim in asked if 1 <= dim <= full] for name, full in dimensions.items()}
    if not any(found.values()):
        told = " and ".join(f"{name} has {full:,}" for name, full in dimensions.items())
        raise InputError(f"{told} dimensions, fewer than all of {asked}", field="dims", remedy="Ask for fewer.")
    notes = []
    for name, lengths in found.items():
        if len(lengths) < len(asked):
            missing = ", ".join(str(dim) for dim in asked if dim not in lengths)
            left_out = "not tried at all" if not lengths else f"not tried at {missing}"
            notes.append(f"{name} has {dimensions[name]:,} dimensions, so it is {left_out}.")
    return {name: lengths for name, lengths in found.items() if lengths}, notes


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

    made = distil_static(encoder, dimension=_static_dimension(encoder.dimension), name=_static_name(encoder.name))
    made.save(folder / made.name)
    return made.name, str(folder / made.name)


def _static_name(base: str) -> str:
    return f"{base}-static"


def _static_dimension(base: int) -> int:
    return min(_STATIC_DIMENSION, base)


def _dimension_of(place: str, name: str, load: Callable[[str, str], Encoder]) -> int:
    """The length of a candidate's vectors, found by loading it.

    Raises:
        InputError: When that cannot be, or it does not make one vector a text.
    """
    from cosmith.models import find_model, kind_of

    if not Path(place).is_file() and (kind := kind_of(find_model(place))) != "dense":
        raise InputError(
            f"is a {kind} model, which makes no vector of a text that could be cut or stored smaller", path=place,
            field="models", remedy="Name dense or static models; `cosmith compare` scores others beside them.",
        )  # fmt: skip
    return load(place, name).dimension


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
    from cosmith.models.loading import load_in_torch

    def load(place: str, name: str) -> Encoder:
        encoder = load_in_torch(place, precision=precision)
        encoder.name = name
        return encoder

    return load


def _in_memory(encoder: TextEncoder) -> TextEncoder:
    from cosmith.models import CachedEncoder, VectorCache

    return CachedEncoder(encoder, VectorCache(None, memory_bytes=_CACHE_BYTES), frozen=True)
