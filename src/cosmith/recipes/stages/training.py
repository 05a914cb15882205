"""Stages that make a better model: what it will cost, training."""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.evaluation import mean_score
from cosmith.losses import loss_spec
from cosmith.models import CrossEncoder, Encoder, LateInteractionEncoder, SparseEncoder, Trainable
from cosmith.recipes.artefacts import StageContext
from cosmith.recipes.graph import estimated_sources, output_names
from cosmith.recipes.mined_rows import remining_of
from cosmith.recipes.mixture_schemas import SourceShare
from cosmith.recipes.model_kind_schemas import ModelKindSettings, TrainRerankerStage
from cosmith.recipes.pretraining_schemas import AdaptStage
from cosmith.recipes.shrinking_schemas import StudentSettings
from cosmith.recipes.stage_schemas import EstimateStage, TrainStage
from cosmith.training import Interrupted, TrainingResult, TrainingSettings, estimate, train_with_result
from cosmith.training.distributed import is_first_rank
from cosmith.training.health import advise, read_history

_BINS = 24
_LENGTHS_SHOWN = 0.99  # the few that are longer would squeeze all others into one bar


def training_settings(
    stage: TrainStage | ModelKindSettings | AdaptStage | StudentSettings, context: StageContext, seed: int
) -> TrainingSettings:
    """The stage's settings as the trainer takes them.

    Raises:
        InputError: A value is impossible.
    """
    given = stage.model_dump(include={field.name for field in fields(TrainingSettings)})
    given |= {"seed": seed, "precision": stage.precision or context.recipe.precision}
    if isinstance(stage, ModelKindSettings):
        given["interpolate"] = False  # a new head is nothing to mix with
    if isinstance(stage, TrainRerankerStage):
        del given["loss"]  # its loss is none of embeddings
    if isinstance(given.get("interpolate"), list):
        given["interpolate"] = tuple(given["interpolate"])
    if isinstance(given.get("loss"), dict):
        given["loss"] = loss_spec(**given["loss"])
    return TrainingSettings(**given)


def estimate_cost(stage: EstimateStage, context: StageContext) -> dict[str, Any]:
    """Say what a training stage will cost, before it begins."""
    trained = context.recipe.stages[stage.train]
    assert isinstance(trained, TrainStage)
    # A model that is not there yet is as large as the base that it will have been made from.
    known = output_names(context.recipe, before=context.name)
    encoder = context.artefacts.encoder(trained.model if trained.model in known else "base")
    sources = [
        _with_stand_ins(changed(named_source(known_by, context), trained.per_source.get(name)), negatives, context.seed)
        for name, (known_by, negatives) in zip(
            trained.sources, estimated_sources(context.recipe, context.name), strict=True
        )
    ]
    teacher = None
    if trained.teacher is not None:
        teacher = context.artefacts.encoder(trained.teacher if trained.teacher in known else "base")
    try:
        settings = training_settings(trained, context, context.seed)
        cost = estimate(encoder, sources, settings, teacher=teacher)
    except InputError as error:
        raise context.of_stage(error, stage.train) from error
    return {
        "steps": cost.steps,
        "epochs": cost.epochs,
        "texts_per_step": cost.texts_per_step,
        "tokens_per_step": cost.tokens_per_step,
        "seconds": cost.seconds,
        "peak_bytes": cost.memory,
        "padding_share": cost.padding_share,
        "cut_queries": asdict(cost.cut_queries),
        "cut_documents": asdict(cost.cut_documents),
        "kept_share": cost.kept_share,
        "device": cost.device,
        "precision": cost.precision,
        "lengths": {
            "query": length_histogram(cost.query_lengths, cost.cut_queries.limit),
            "document": length_histogram(cost.document_lengths, cost.cut_documents.limit),
        },
        "told": cost.describe(),
    }


def named_source(name: str, context: StageContext) -> Source:
    """Training rows under the name that the recipe uses for them: of themselves, those of two stages may share one."""
    return replace(context.artefacts.source(name), name=name)


def changed(source: Source, changes: SourceShare | None) -> Source:
    """Training rows with what a stage says of them in place of what they say of themselves."""
    return source if changes is None else replace(source, settings=replace(source.settings, **changes.said()))


def _with_stand_ins(source: Source, negatives: int, seed: int) -> Source:
    """A source with other rows' answers in place of the negatives that mining will find: as many, and about as long."""
    if not negatives or not len(source.positives):
        return source
    numbers = np.random.default_rng(seed).choice(source.positives, size=len(source) * negatives)
    texts = source.texts.take(numbers)
    return source.with_negatives([texts[row * negatives : (row + 1) * negatives] for row in range(len(source))])


def length_histogram(lengths: npt.NDArray[np.int32], limit: int | None) -> dict[str, Any]:
    """A histogram of the tokens that texts would have uncut, up to the longest but for a hundredth of them."""
    least, most = int(lengths.min()), int(np.quantile(lengths, _LENGTHS_SHOWN, method="higher"))
    width = -(-(most - least + 1) // _BINS)  # whole, so that every bar stands for equally many lengths
    edges = np.arange(least, most + width + 1, width)
    shown = lengths[lengths < edges[-1]]
    return {
        "counts": np.histogram(shown, edges)[0].tolist(),
        "edges": edges.tolist(),
        "beyond": 1 - len(shown) / len(lengths),
        "max_length": limit,
    }


def score_histograms(scores: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, dict[str, list[float]]]:
    """Histograms over the same bars, of what there is any of."""
    edges = np.histogram_bin_edges(np.concatenate([*scores.values()]).astype(np.float64), _BINS)
    return {
        name: {"edges": edges.tolist(), "counts": np.histogram(values.astype(np.float64), edges)[0].tolist()}
        for name, values in scores.items()
        if len(values)
    }


def finite_or_none(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def train_model(stage: TrainStage, context: StageContext) -> dict[str, Any]:
    """Fine-tune, going on from the last checkpoint where an interrupted run left one."""

    def named(name: str, source: Source) -> Source:
        return changed(replace(source, name=name), stage.per_source.get(name))

    sources = [named(name, context.artefacts.source(name)) for name in stage.sources]
    base = context.artefacts.encoder(stage.model)
    teacher = None if stage.teacher is None else context.artefacts.encoder(stage.teacher)
    with told_by_stage(context):
        settings = training_settings(stage, context, context.seed)
        result = train_with_result(base, sources, settings, folder=context.folder, dev=score_on(stage.dev, context),
                                   general=score_on(stage.general, context) if stage.dev else None,
                                   teacher=teacher, remine=remining_of(stage, context, named))  # fmt: skip
    return outcome(result, context, base, sources)


@contextmanager
def told_by_stage(context: StageContext) -> Iterator[None]:
    """Training inside: an interruption ends the run, and a wrong setting is named by its place in the recipe."""
    try:
        yield
    except Interrupted as error:
        raise KeyboardInterrupt from error
    except InputError as error:
        raise context.of_stage(error) from error


def outcome(
    result: TrainingResult[Encoder]
    | TrainingResult[CrossEncoder]
    | TrainingResult[SparseEncoder]
    | TrainingResult[LateInteractionEncoder],
    context: StageContext,
    base: Trainable,
    sources: Sequence[Source] = (),
    **also: Any,
) -> dict[str, Any]:
    """Keep the model of a finished run, and tell how it went; of several processes the first one does.

    Args:
        result: Of the run.
        context: Of its stage.
        base: What was trained.
        sources: The rows it was trained on, where it was rows.
        also: What else there is to tell.
    """
    if not is_first_rank():
        return {}
    result.encoder.save(context.artefacts.folder(context.name))
    pairs = {"pairs": sum(map(len, sources)), "pairs_per_second": pairs_per_second(context.folder)} if sources else {}
    return {
        **also,
        **pairs,
        "steps": result.steps,
        "seconds": result.seconds,
        "stopped_early": result.stopped_early,
        "best_step": result.best_step,
        "best_dev": result.best_score,
        "base_dev": result.base_score,
        "final_dev": result.final_score,
        "interpolation": [{"alpha": mixed.alpha, "dev": mixed.score} for mixed in result.mixtures],
        "alpha": result.alpha,
        "advice": [asdict(each) for each in advise(read_history(context.folder))],
        "peak_bytes": _peak_bytes(base),
    }


def score_on(tasks: Sequence[str], context: StageContext) -> Callable[[Encoder], float] | None:
    """The mean of the main metrics on these collections and sts sets; None without any."""
    return mean_score({name: context.artefacts.task(name) for name in tasks}) if tasks else None


def pairs_per_second(folder: Path) -> float | None:
    """The median over the steps, so that the first ones and interruptions do not count."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rates = [entry["pairs_per_second"] for entry in map(json.loads, lines) if "pairs_per_second" in entry]
    return float(np.median(rates)) if rates else None


def _peak_bytes(encoder: Trainable) -> int:
    """The most memory that this process has held: of the accelerator where one is used, else of the machine."""
    if encoder.device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(encoder.device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024  # macOS counts bytes, Linux kibibytes
