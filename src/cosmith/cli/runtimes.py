"""`cosmith runtime`, and the options by which commands choose what runs a model, and in what numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from cosmith.cli.manner import manner_of, table
from cosmith.phrases import size

RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime", help="torch, onnx or openvino. auto: of an exported folder the fastest form, else torch."
    ),
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="auto, float32 or bf16; of an exported folder one of its forms.")
]


def runtime(
    context: typer.Context,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder that `cosmith export` made.")],
    again: Annotated[bool, typer.Option("--again", help="Try them even if that was done before.")] = False,
) -> None:
    """Try which exported form of a model is the fastest on this machine; `--runtime auto` takes it.

    Example: cosmith runtime minilm-onnx
    """
    from cosmith.models import find_model
    from cosmith.models.runtimes import try_folder

    manner = manner_of(context)
    place = find_model(folder)
    trial = try_folder(place, again=again)
    fastest = trial.fastest
    rows = [
        [f"{'*' if variant == fastest else ' '} {variant.name}", size(variant.bytes_in(place)),
         "does not run here" if speed is None else f"{speed:.2f}"]
        for variant, speed in trial.milliseconds.items()
    ]  # fmt: skip
    lines = [table(["  Form", "bytes", "ms a micro-batch"], rows)]
    lines += [f"{variant.name}: {reason}" for variant, reason in trial.reasons.items()]
    lines.append(f"`--runtime auto` takes {fastest.name}" + (", tried before." if trial.remembered else "."))
    forms = [
        {"runtime": variant.runtime, "precision": variant.precision, "bytes": variant.bytes_in(place),
         "milliseconds": speed, "reason": trial.reasons.get(variant)}
        for variant, speed in trial.milliseconds.items()
    ]  # fmt: skip
    chosen = {"runtime": fastest.runtime, "precision": fastest.precision}
    manner.result("\n".join(lines), {"forms": forms, "fastest": chosen, "remembered": trial.remembered})
