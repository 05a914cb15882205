"""`cosmith merge`: one model out of several that were trained from the same one."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from cosmith.cli.evaluate import read_task
from cosmith.cli.manner import manner_of
from cosmith.cli.summaries import merge_lines
from cosmith.cli.texts import model_reference, rejected_value, task_cut
from cosmith.errors import InputError


def merge(
    context: typer.Context,
    models: Annotated[list[str], typer.Argument(help="Model folders, packaged models' names, or Hugging Face ids.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the new model.")],
    method: Annotated[
        str,
        typer.Option("--method", help="soup, greedy-soup, slerp, interpolation, task-arithmetic or ties."),
    ] = "slerp",
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="What they were trained from; the last three methods need it. With --task it is scored, too."
        ),
    ] = None,
    weights: Annotated[
        list[float] | None, typer.Option("--weight", help="One for each model, in their order; default: equal ones.")
    ] = None,
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--task", help="A file or a folder to score all on and choose by. Several times, if need be."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it by the columns, and says so.")
    ] = "auto",
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Which qrels/SPLIT.tsv of a BEIR folder; not the one that you will report. Default: dev.",
        ),
    ] = None,
    general: Annotated[
        bool, typer.Option("--general/--no-general", help="With --task: also score on the general check set.")
    ] = True,
    grid: Annotated[
        list[float] | None,
        typer.Option(
            "--grid",
            help="A share of the merged model that interpolation tries beside the base; may be given several times."
            " Default: 0.25, 0.5, 0.75 and 1.",
        ),
    ] = None,
    density: Annotated[
        float | None, typer.Option("--density", help="Share of the changes that ties keeps. Default: 0.2.")
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="How much of the changes task-arithmetic and ties add. Default: 1.")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="Of the scoring: auto, float32 or bf16.")] = "auto",
) -> None:
    """Merge models that were trained from the same one. Nothing is trained.

    With --task, every model and mixture that was tried is scored there and on the general check set, and * marks those
    that no other one beats in both (the Pareto front); the new folder keeps the scores (lineage.json) and a picture of
    them (merge.svg). Choose by a
    development set, not by the test set that you will report.

    Example: cosmith merge seed-1 seed-2 seed-3 --method slerp --task my-dev-set --output merged

    Between base and tuned model: cosmith merge tuned --method interpolation --base all-MiniLM-L6-v2 --grid 0.3
    --grid 0.6 --grid 0.9 --task my-dev-set --output merged
    """
    from cosmith.atomic import atomic_folder, require_name, require_writable
    from cosmith.data import general_check_collection
    from cosmith.evaluation import mean_score
    from cosmith.inspection.pictures import svg_of
    from cosmith.inspection.result_sections import merge_chart
    from cosmith.recipes.artefacts import load_encoder
    from cosmith.recipes.lineage import merge_lineage, write_card
    from cosmith.recipes.stages.merging import described
    from cosmith.training import merge as merge_encoders
    from cosmith.training.merge_settings import require_read, settings_read

    manner = manner_of(context)
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError("exists already", path=output, field="--output", remedy="Choose another folder.")
    require_name(output)
    require_writable(output)
    own = {"density": density, "scale": scale, "grid": grid or None}
    said = [name for name, value in (own | {"weights": weights or None}).items() if value is not None]
    require_read(method, said, scored=bool(tasks), written=_WRITTEN)
    if split is not None and not tasks:
        raise InputError("without --task nothing is scored", field="--split", remedy="Leave it out, or name a --task.")
    if kind != "auto" and not tasks:
        raise InputError("without --task nothing is scored", field="--kind", remedy="Leave it out, or name a --task.")
    split = "dev" if split is None else split
    for path in tasks or []:
        _require_split(path, split)
    read = {}
    for path in tasks or []:
        found = read_task(path, kind, split, None, manner)
        manner.note(found.describe() + ("; --kind KIND says otherwise" if found.guessed else ""))
        read[path.resolve().name] = found.task
    encoders = [load_encoder(model, precision) for model in models]
    base_encoder = None if base is None else load_encoder(base, precision)
    counting = settings_read(method, own)
    result = merge_encoders(
        encoders,
        method,  # type: ignore[arg-type]
        base=base_encoder,
        weights=weights or None,
        **counting,
        dev=mean_score(read) if read else None,
        general=mean_score({"general-check": general_check_collection()}) if general and read else None,
    )
    outcome = described(result)
    settings = {"method": method, "base": base, "weights": weights or None, **counting,
                "split": split if tasks else None, "kind": kind if tasks else None, "precision": precision}  # fmt: skip
    made_from = [(model_reference(name), encoder) for name, encoder in zip(models, encoders, strict=True)]
    if base is not None and base_encoder is not None:
        made_from.append((model_reference(base), base_encoder))
    lineage = merge_lineage(output.name, made_from, [str(path.resolve()) for path in tasks or []], settings, outcome)
    chart = merge_chart(outcome)
    with atomic_folder(output) as place:
        result.encoder.save(place)
        if chart is not None:
            (place / "merge.svg").write_text(svg_of(chart), encoding="utf-8")
        write_card(place, lineage, title=output.name)
    scored_on = [
        {"task": name, "cut": task_cut(encoders[0], task, manner)} | rejected_value(task.rejected, None)
        for name, task in read.items()
    ]  # all models cut alike, or they could not be merged
    told = {"method": method, "models": models, "tasks": scored_on} | outcome
    drawn = [f"What each wins and costs: {output / 'merge.svg'}"] if chart is not None else []
    text = "\n".join([*merge_lines(told), *drawn, f"The model is in {output}. How good is it: cosmith evaluate"
                      f" {quote(str(output))} --against {quote(models[0])} --task my-test-set"])  # fmt: skip
    manner.result(text, told | {"model": str(output)})


_WRITTEN = {"density": "--density", "scale": "--scale", "grid": "--grid", "weights": "--weight"}


def _require_split(task: Path, split: str) -> None:
    """Refuse a BEIR folder without the judgements to choose by: which of the others will do, the user must say."""
    there = sorted(path.stem for path in task.glob("qrels/*.tsv"))
    if there and split not in there:
        raise InputError(
            f"there are no judgements of the split {split!r}, only of {' and '.join(there)}", path=task,
            field="--split", remedy="Name the one to choose by, which should not be the one that you will report.",
        )  # fmt: skip
