"""Stages on raw text: reading it, a model from nothing or from elsewhere, continued pre-training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cosmith.atomic import write_json_lines
from cosmith.data import read_texts, reasons
from cosmith.errors import InputError
from cosmith.models import initialise
from cosmith.models.language_head import language_head_file
from cosmith.recipes.artefacts import StageContext, load_encoder
from cosmith.recipes.pretraining_schemas import AdaptStage, InitialiseStage, ModelStage, TextsStage
from cosmith.recipes.rebuilding_schemas import RebuildStage
from cosmith.recipes.shrinking_schemas import DropLayersStage
from cosmith.recipes.stage_schemas import TrainStage
from cosmith.recipes.stages.data import columns_by_key
from cosmith.recipes.stages.training import outcome, score_on, told_by_stage, training_settings
from cosmith.training.health import read_history
from cosmith.training.pretraining import has_words_of_its_own, pretrain_with_result


def texts(stage: TextsStage, context: StageContext) -> dict[str, Any]:
    """Raw texts, checked and kept as JSON lines."""
    rejected_file = context.folder / "rejected.jsonl"
    with columns_by_key(stage, context):
        read = read_texts(stage.path, column=stage.column, rejected=rejected_file)
    titles = read.titles if "title" in read.columns else None
    keep_texts(context.artefacts.folder(context.name), read.ids, read.bodies if titles else read.texts, titles)
    return {
        "texts": len(read.texts),
        "characters": sum(map(len, read.texts)),
        "columns": dict(read.columns),
        "dropped": reasons(read.rejected),
        "rejected_file": str(rejected_file) if read.rejected else None,
    }


def keep_texts(folder: Path, ids: Sequence[str], texts: Sequence[str], titles: Sequence[str] | None = None) -> None:
    """Write texts into the folder of a stage's output, as JSON lines that :func:`cosmith.data.read_texts` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"_id": ids, **({} if titles is None else {"title": titles}), "text": texts}
    rows = zip(*columns.values(), strict=True)
    write_json_lines(folder / "texts.jsonl", (dict(zip(columns, values, strict=True)) for values in rows))


def bring_model(stage: ModelStage, context: StageContext) -> dict[str, Any]:
    """A copy of a model from elsewhere."""
    try:
        encoder = load_encoder(stage.path, context.recipe.precision, context.name)
    except InputError as error:
        raise InputError(
            error.problem, path=error.path, field=f"stages.{context.name}.path", remedy=error.remedy
        ) from error
    encoder.save(context.artefacts.folder(context.name))
    weights = sum(parameter.numel() for parameter in encoder.module.parameters())
    return {"dimension": encoder.dimension, "parameters": weights}


def initialise_model(stage: InitialiseStage, context: StageContext) -> dict[str, Any]:
    """A model from nothing."""
    read = all_texts(stage.texts, context)
    try:
        encoder = initialise(
            read,
            vocabulary=stage.vocabulary,
            layers=stage.layers,
            hidden=stage.hidden,
            heads=stage.heads,
            max_length=stage.max_length,
            dropout=stage.dropout,
            lowercase=stage.lowercase,
            backbone=stage.backbone,
            seed=context.seed,
            name=context.name,
        )
    except InputError as error:
        raise context.of_stage(error) from error
    encoder.save(context.artefacts.folder(context.name))
    weights = sum(parameter.numel() for parameter in encoder.module.parameters())
    return {"texts": len(read), "tokens": len(encoder.tokenizer.tokenizer), "parameters": weights}


def adapt(stage: AdaptStage, context: StageContext) -> dict[str, Any]:
    """Learn the language of raw texts, going on from the last checkpoint where an interrupted run left one."""
    read = all_texts(stage.texts, context)
    base = context.artefacts.encoder(stage.model)
    with told_by_stage(context):
        settings = training_settings(stage, context, context.seed)
        head = stage.head or (_language_head(stage.model, context) if has_words_of_its_own(base) else None)
        result = pretrain_with_result(
            base,
            read,
            settings,
            mask_rate=stage.mask_rate,
            head=head,
            folder=context.folder,
            dev=score_on(stage.dev, context),
        )
    told = outcome(result, context, base, texts=len(read))
    return told | {"head": read_history(context.folder).facts["head"]} if told else told


def _language_head(name: str, context: StageContext) -> str | None:
    """What has the head of the decoder that a model was made from: no stage keeps it beside what it makes."""
    stage = context.recipe.stages.get(name)
    path = stage.path if isinstance(stage, ModelStage) else context.artefacts.model_path(name)
    if language_head_file(path) is not None:
        return path
    made_from_one = TrainStage | AdaptStage | RebuildStage | DropLayersStage
    return _language_head(stage.model, context) if isinstance(stage, made_from_one) else None


def all_texts(names: list[str], context: StageContext) -> list[str]:
    """The texts of all inputs, each once, in order."""
    return list(dict.fromkeys(text for name in names for text in context.artefacts.texts(name)))
