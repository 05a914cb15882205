"""`cosmith export`: a model for other runtimes, in other numbers, with a report of what it loses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.evaluate import read_task
from cosmith.cli.manner import Manner, manner_of, table
from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.texts import require_other, warn_of_rejected
from cosmith.phrases import size

if TYPE_CHECKING:
    from cosmith.compression import Fidelity


def export(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model folder, a packaged model's name, or a Hugging Face id.")],
    to: Annotated[Path, typer.Option("--to", help="The new folder.")],
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", help="onnx or openvino. Both, if need be. Default: onnx.")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            "--precision", help="float32, float16, int8 or int8-static. Several, if need be. Default: float32."
        ),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help="For int8-static: a few hundred texts like those that will be encoded."),
    ] = None,
    texts: Annotated[
        Path | None, typer.Option("--texts", help="Texts to measure the fidelity on. Default: the general check set.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of the texts; auto: found by its name.")] = "auto",
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--task", help="Measure the change on this test set, too. Several times, if need be."),
    ] = None,
    floor: Annotated[
        float, typer.Option("--floor", help="The lowest mean cosine to the model in float32 that is written.")
    ] = 0.99,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Write a model for ONNX Runtime or OpenVINO, with the loss measured; nothing is written that loses too much.

    Every runtime gets every precision, but that OpenVINO has no int8.

    Example: cosmith export all-MiniLM-L6-v2 --to minilm-onnx --precision float32 --precision int8
    """
    from cosmith.atomic import require_writable
    from cosmith.compression import export as write
    from cosmith.models.runtimes import IMPOSSIBLE
    from cosmith.recipes.artefacts import load_encoder

    manner = manner_of(context)
    require_writable(to)
    require_other(to, model, calibrate, texts, *(tasks or []), option="--to")
    read = [read_task(path, "auto", "test", None, manner).task for path in tasks or []]
    calibration = [] if calibrate is None else _texts(calibrate, column, manner)
    measured = None if texts is None else _texts(texts, column, manner)
    runtimes, precisions = runtime or ["onnx"], precision or ["float32"]
    with told_by_option(options_of("runtime", "precision", "calibrate", "floor", "texts")):
        found = write(
            load_encoder(model, "float32"), to, runtimes=runtimes, precisions=precisions,  # type: ignore[arg-type]
            calibration=calibration, texts=measured, tasks=read, floor=floor, seed=seed,
        )  # fmt: skip
    left_out = {form: why for form, why in IMPOSSIBLE.items() if form[0] in runtimes and form[1] in precisions}
    value = {
        "folder": str(to), "floor": floor, "forms": [each.as_json() for each in found],
        "left_out": [{"runtime": form[0], "precision": form[1], "reason": why} for form, why in left_out.items()],
    }  # fmt: skip
    told = [f"{' '.join(form)} is left out: {why}." for form, why in left_out.items()]
    closing = f"In {to}. Try which is the fastest here: cosmith runtime {quote(str(to))}"
    manner.result("\n".join([_lines(found), *told, closing]), value)


def _texts(path: Path, column: str, manner: Manner) -> Sequence[str]:
    from cosmith.data import read_texts

    read = read_texts(path, column=column)
    warn_of_rejected(read.rejected, None, manner, otherwise="they are left out")
    return read.texts


def _lines(found: Sequence[Fidelity]) -> str:
    """The forms and their fidelity as a table, with one below it of the changes on test sets."""
    rows = [
        [f"{each.runtime} {each.precision}", size(each.bytes), f"{each.mean:.5f}", f"{each.first_percentile:.5f}",
         f"{each.least:.5f}"]
        for each in found
    ]  # fmt: skip
    lines = [table([f"Cosine to float32, {found[0].texts} texts", "bytes", "mean", "1st percentile", "least"], rows)]
    changes = [
        [f"{each.runtime} {each.precision}", change.task, change.metric, f"{change.before:.4f}", f"{change.after:.4f}",
         f"{change.difference:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"]
        for each in found
        for change in each.tasks
    ]  # fmt: skip
    if changes:
        lines += ["", table(["Change", "task", "metric", "before", "after", "difference [95 %]"], changes)]
    return "\n".join([*lines, ""])
