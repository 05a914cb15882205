"""From a model and tasks to a plan: each form of the model encodes all texts once, and forms of vectors are made of
these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.compression.planning.candidate import Candidate, front
from cosmith.compression.planning.limits import Limits
from cosmith.compression.planning.model_forms import (
    FULL,
    MadeForm,
    ModelForm,
    forms_here,
    make_form,
    parse_model_forms,
    write_form,
)
from cosmith.compression.planning.outcome import Plan, decide, require_useful
from cosmith.compression.planning.quality import change_interval, quality_interval, quality_of
from cosmith.compression.planning.search_time import SearchTime, search_time
from cosmith.compression.planning.vector_choices import WHOLE, Sizes, sizes_of, usual_forms, without_search
from cosmith.errors import InputError
from cosmith.evaluation.choosing.candidates import timed_queries
from cosmith.evaluation.compressing import sweep_compressed
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.sweeping import SweptForm, remembered
from cosmith.evaluation.tasks import EvaluationTask, RetrievalTask
from cosmith.models.running_cost import RunningCost, measure_running
from cosmith.phrases import counted, size
from cosmith.progress import track
from cosmith.retrieval.compressed import SearchForm, parse_form, parse_forms

if TYPE_CHECKING:
    from cosmith.models import Encoder, TextEncoder

PLAN = "plan.json"
"""Beside the model: what was recommended; ``"form"`` is that of its vectors."""

_FEW = 40
"""Forms of vectors times forms of the model that give vectors of their own, up to which every pair is scored."""
_TIMED_DOCUMENTS = 64
_FIDELITY_TEXTS = 64
_CALIBRATION_TEXTS = 256

Swept = Mapping[SearchForm, Sequence[SweptForm]]
"""Form → a row for each task."""


@dataclass(frozen=True)
class _Work:
    """What all steps share."""

    tasks: Sequence[EvaluationTask]
    name: str
    seed: int
    resamples: int
    corpus_size: int

    @property
    def kinds(self) -> list[str]:
        return [task.kind for task in self.tasks]

    @property
    def instruction(self) -> str:
        return next((task.instruction for task in self.tasks if task.instruction), "")

    @property
    def searched(self) -> RetrievalTask | None:
        """The first task that searches."""
        return next((task for task in self.tasks if isinstance(task, RetrievalTask)), None)


def plan(
    model: str | Path,
    tasks: Sequence[EvaluationTask],
    *,
    limits: Limits | None = None,
    corpus_size: int = 1_000_000,
    forms: str | Sequence[SearchForm | str] | None = None,
    dims: Sequence[int] = (),
    runtimes: str | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    remembering: Callable[[TextEncoder], TextEncoder] | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> Plan:
    """Find the cheapest form of a model and of its vectors that keeps its quality.

    The model in float32 encodes all texts of the tasks, and all forms of vectors are scored with it. Then each other
    form of the model (:class:`ModelForm`) encodes them: with all forms of vectors where that is little work, else with
    those on a Pareto front. Latency, memory and throughput of each are measured in a process of its own.

    Args:
        model: A folder or name that ``Encoder.load`` takes.
        tasks: On what; see :func:`~cosmith.evaluation.choosing.sampled` for parts of large ones.
        limits: What may be spent, and what has to be kept; None: at least 97 % of the full model's quality.
        corpus_size: Documents for which memory and search are told.
        forms: Forms of vectors, see :func:`~cosmith.retrieval.compressed.parse_form`; None: some twenty.
        dims: Shorter lengths that those have; none: the halves down to 32. Not with ``forms``.
        runtimes: Forms of the model, such as ``"torch, onnx int8"``; None: all that are usual and can be had here.
        folder: Where to write the recommended model, ready for use, with ``plan.json``; None: nowhere.
        name: What to call the model.
        remembering: Puts a cache of vectors before a model; by default one in memory.
        seed: For intervals, rotations and k-means.
        resamples: For intervals.

    Raises:
        InputError: When there is no task, or one has no items; the model is no dense one for torch; forms or limits
            make no sense, all before any text is encoded; or the folder holds something else.
    """
    from cosmith.models import Encoder

    limits = limits or Limits()
    if not tasks:
        raise InputError("there is nothing to score on", field="tasks", remedy="Give a task.")
    if corpus_size < 1:
        raise InputError(f"must be at least 1, got {corpus_size}", field="corpus_size")
    if forms is not None and dims:
        raise InputError("forms say themselves how many numbers they keep", field="dims", remedy="Leave one out.")
    asked_models = None if runtimes is None else parse_model_forms(runtimes)
    asked = None if forms is None else _read_forms(forms)
    if folder is not None:
        require_replaceable(Path(folder), PLAN, "a planned model")
    queries = timed_queries(tasks, seed=seed)
    if not queries:
        raise InputError("have no texts", field="tasks", remedy="Give a task that has some.")
    encoder = Encoder.load(model, precision="float32", device=_device())
    encoder.name = name or encoder.name
    work = _Work(tasks, encoder.name, seed, resamples, corpus_size)
    searched = work.searched is not None
    usual = asked or usual_forms(encoder.dimension, dims=dims, searched=searched)
    vector_forms = list(dict.fromkeys([WHOLE, *usual]))
    sizes = sizes_of(vector_forms, encoder.dimension, corpus_size, searched=searched)
    _require_possible(limits, [sizes[form] for form in usual], corpus_size)
    model_forms, notes = forms_here(encoder, asked_models)
    with TemporaryDirectory() as workshop:
        made, left_out = _make_all(encoder, str(model), model_forms, Path(workshop), work)
        if asked_models is not None and not any(each.form in asked_models for each in made):
            raise InputError("none can be made: " + " ".join(left_out), field="runtimes", remedy="Name others.")
        running = _run_all(made, queries, work)
        remember = remembering or remembered
        whole = remember(encoder)
        swept = {FULL: _sweep(whole, vector_forms, work, str(FULL))}
        require_useful(quality_of([row.scores for row in swept[FULL][WHOLE]], work.kinds), encoder.name)
        times = _search_times(whole, vector_forms, queries, work)
        fewer, told = _worth_trying(swept[FULL], times, made, limits, sizes, work)
        for each in made:
            if not each.is_exact:
                swept[each.form] = _sweep(remember(_load(each, encoder.name)), fewer, work, str(each.form))
        candidates = list(_candidates(swept, made, times, running, sizes, work))
        offered = [
            each
            for each in candidates
            if (asked_models is None or each.model in asked_models)
            and (asked is None or parse_form(each.form) in asked)
        ]
        notes = (*notes, *left_out, *told, *_measured(candidates[0], made))
        found = decide(offered, candidates[0], limits, model=encoder.name, notes=notes)
        if folder is not None and found.chosen is not None:
            by_form = {each.form: each for each in made}
            _write_ready(Path(folder), by_form[found.chosen.model], found)
    return found


def _read_forms(forms: str | Sequence[SearchForm | str]) -> tuple[SearchForm, ...]:
    if isinstance(forms, str):
        return parse_forms(forms)
    if not forms:
        raise InputError("names no form", field="forms", remedy="Name some, e.g. int8.")
    return tuple(parse_form(each) if isinstance(each, str) else each for each in forms)


def _require_possible(limits: Limits, sizes: Sequence[tuple[float, float]], corpus_size: int) -> None:
    """Refuse limits that no form can meet, before any work is done.

    Raises:
        InputError: Naming the limit.
    """
    least = min(first for first, _ in sizes)
    if limits.bytes is not None and limits.bytes < least:
        raise InputError(f"{limits.bytes:,.0f} are fewer than any form takes: the smallest takes {ceil(least):,}",
                         field="bytes", remedy="Allow more, or name smaller forms, e.g. pca64+binary.")  # fmt: skip
    if limits.finer_bytes is not None and limits.finer_bytes < min(finer for _, finer in sizes):
        raise InputError("all forms keep larger finer copies", field="finer_bytes",
                         remedy="Allow more, or name forms that do not rescore.")  # fmt: skip
    if limits.memory is not None and limits.memory < least * corpus_size:
        raise InputError(
            f"{size(limits.memory)} cannot hold {counted(corpus_size, 'document')}: in the smallest form their vectors"
            f" take {size(least * corpus_size)}", field="memory", remedy="Allow more, or state a smaller corpus.",
        )  # fmt: skip
    both = [first for first, finer in sizes if limits.finer_bytes is None or finer <= limits.finer_bytes]
    if limits.bytes is not None and limits.bytes < min(both):
        raise InputError("no form takes as few bytes and has so small a finer copy", field="bytes",
                         remedy="Allow more of one of them.")  # fmt: skip


def _make_all(
    encoder: Encoder, place: str, forms: Sequence[ModelForm], workshop: Path, work: _Work
) -> tuple[list[MadeForm], list[str]]:
    """All forms that can be made, and in words those that cannot."""
    texts = [text for task in work.tasks for part in task.texts() for text in part.texts]
    rng = np.random.default_rng(work.seed)
    drawn = [texts[number] for number in rng.permutation(len(texts))[: _FIDELITY_TEXTS + _CALIBRATION_TEXTS].tolist()]
    sample, calibration = drawn[:_FIDELITY_TEXTS], drawn[_FIDELITY_TEXTS:] or drawn
    made: list[MadeForm] = []
    left_out: list[str] = []
    for form in forms:
        try:
            made.append(make_form(encoder, place, form, workshop, texts=sample, calibration=calibration))
        except InputError as error:
            left_out.append(f"{form} is left out: {error.problem}.")
    return made, left_out


def _run_all(made: Sequence[MadeForm], queries: Sequence[str], work: _Work) -> dict[ModelForm, RunningCost]:
    """What each form costs to run."""
    parts = [part for task in work.tasks for part in task.texts()]
    texts = next((part.texts for part in parts if part.prompt == "document"), parts[0].texts)
    step = max(1, len(texts) // _TIMED_DOCUMENTS)
    documents = list(texts[::step][:_TIMED_DOCUMENTS])
    found = {}
    with track("Measuring forms of the model", len(made), "forms") as bar:
        for each in made:
            found[each.form] = measure_running(
                each.place, queries, documents, runtime=each.form.runtime, precision=each.form.precision,
                instruction=work.instruction,
            )  # fmt: skip
            bar.advance(status=str(each.form))
    return found


def _load(made: MadeForm, name: str) -> TextEncoder:
    from cosmith.models import load_encoder

    device = _device() if made.form.runtime == "torch" else "cpu"
    encoder = load_encoder(
        made.place, runtime=made.form.runtime, precision=made.form.precision, device=device
    )  # fmt: skip
    encoder.name = name
    return encoder


def _sweep(encoder: TextEncoder, forms: Sequence[SearchForm], work: _Work, called: str) -> Swept:
    """All forms on all tasks; on those that do not search, by what they stand for."""
    found: dict[SearchForm, list[SweptForm]] = {form: [] for form in forms}
    for task in work.tasks:
        meant = {form: form if isinstance(task, RetrievalTask) else without_search(form) for form in forms}
        rows = {
            row.name: row
            for row in sweep_compressed(
                encoder, task, list(meant.values()), seed=work.seed, resamples=0, model=called
            ).forms
        }
        for form in forms:
            found[form].append(rows[str(meant[form])])
    return found


def _search_times(
    encoder: TextEncoder, forms: Sequence[SearchForm], queries: Sequence[str], work: _Work
) -> dict[SearchForm, SearchTime]:
    """How long each form's search takes, whatever runs the model; empty where no task searches."""
    if work.searched is None:
        return {}
    documents, _ = work.searched.texts()
    told = work.searched.instruction
    vectors = encoder.encode(documents.texts, prompt="document", instruction=told)
    asked = encoder.encode(queries, prompt="query", instruction=told, show_progress="Encoding queries")
    found = {}
    with track("Timing searches", len(forms), "forms") as bar:
        for form in forms:
            found[form] = search_time(vectors, asked, form, work.corpus_size, seed=work.seed)
            bar.advance(status=str(form))
    return found


def _worth_trying(
    swept: Swept, times: Mapping[SearchForm, SearchTime], made: Sequence[MadeForm], limits: Limits,
    sizes: Sizes, work: _Work,
) -> tuple[list[SearchForm], list[str]]:  # fmt: skip
    """The forms of vectors with which the other forms of the model are scored, and what to say of that."""
    forms, others = list(swept), sum(not each.is_exact for each in made)
    if len(forms) * others <= _FEW:
        return forms, []
    quality = {form: quality_of([row.scores for row in rows], work.kinds) for form, rows in swept.items()}
    fitting = [
        form
        for form in forms
        if (limits.bytes is None or sizes[form][0] <= limits.bytes)
        and (limits.finer_bytes is None or sizes[form][1] <= limits.finer_bytes)
    ]
    kept = {WHOLE}
    for some in (forms, fitting):
        kept |= _best(some, [(quality[form], sizes[form][0]) for form in some])
        if times:
            kept |= _best(some, [(quality[form], float(np.median(times[form].seconds))) for form in some])
    chosen = [form for form in forms if form in kept]
    told = (
        f"In stages: {counted(len(forms), 'form')} of vectors were scored with the model in float32, and the"
        f" {len(chosen)} of them on a front, of all or of those within the limits, with each other form of the model."
    )
    return chosen, [told]


def _best(forms: Sequence[SearchForm], points: Sequence[tuple[float, float]]) -> set[SearchForm]:
    return {forms[number] for number in front(points)}


def _candidates(
    swept: Mapping[ModelForm, Swept], made: Sequence[MadeForm], times: Mapping[SearchForm, SearchTime],
    running: Mapping[ModelForm, RunningCost], sizes: Sizes, work: _Work,
) -> Iterable[Candidate]:  # fmt: skip
    """Every pair that was scored, the full model with whole vectors first; forms of the model that give its vectors are
    scored as it."""
    full = [row.scores for row in swept[FULL][WHOLE]]
    scored = {
        model: [
            _candidate(model, form, rows, full, times.get(form), running[model], sizes[form], work)
            for form, rows in of_model.items()
        ]
        for model, of_model in swept.items()
    }
    for each in made:
        for candidate in scored[FULL if each.is_exact else each.form]:
            yield replace(candidate, model=each.form, running=running[each.form])


def _candidate(
    model: ModelForm, form: SearchForm, rows: Sequence[SweptForm], full: Sequence[Scores], search: SearchTime | None,
    running: RunningCost, taken: tuple[float, float], work: _Work,
) -> Candidate:  # fmt: skip
    scores = [row.scores for row in rows]
    quality, best = quality_of(scores, work.kinds), quality_of(full, work.kinds)
    change = change_interval(scores, full, work.kinds, resamples=work.resamples, seed=work.seed)
    recalls = [row.cost.recall for row in rows if row.cost is not None]
    return Candidate(
        model=model, form=str(form), bytes=taken[0], finer_bytes=taken[1], corpus_size=work.corpus_size,
        running=running, search=search, scores=tuple(scores), quality=quality,
        interval=quality_interval(scores, work.kinds, resamples=work.resamples, seed=work.seed),
        change=quality - best, change_interval=change, kept=quality / best if best > 0 else 0.0,
        kept_low=None if change is None or best <= 0 else 1 + change.low / best,
        recall=float(np.mean(recalls)) if recalls else None,
    )  # fmt: skip


def _measured(full: Candidate, made: Sequence[MadeForm]) -> list[str]:
    """How the figures were come by."""
    running = full.running
    told = [
        f"Latency and documents/s: wall time on {running.processor}, {counted(running.threads, 'thread')}, each form of"
        f" the model in a process of its own, {counted(len(running.query_seconds), 'query', 'queries')} one at a time."
    ]
    if full.search is not None and full.search.measured_on < full.corpus_size:
        told.append(
            f"Searches were timed over {full.search.measured_on:,} vectors (structures: up to 20,000) and scaled to"
            f" {full.corpus_size:,}."
        )
    alike = [str(each.form) for each in made if each.is_exact and each.form != FULL]
    if alike:
        told.append(
            f"{', '.join(alike)}: vectors as of {FULL} but for rounding (cosines of {_FIDELITY_TEXTS} texts at least"
            " 0.99999), so scored as that."
        )
    return told


def _write_ready(folder: Path, made: MadeForm, found: Plan) -> None:
    """The recommended model with the form of its vectors, in place of an earlier one."""
    assert found.chosen is not None
    about = {"format": 1, "made_from": found.model, **found.chosen.to_dict(), "limits": found.limits.to_dict()}
    with atomic_folder(folder) as place:
        write_form(made, place)
        write_json(place / PLAN, about)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
