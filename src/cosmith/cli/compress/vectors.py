"""`cosmith compress vectors`: what a model scores with its vectors compressed in several ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.compare import read_all
from cosmith.cli.contamination import STRICT_OPTION, checked
from cosmith.cli.contestants import (
    KeyVariableOption,
    Loading,
    load,
    model_names,
    require_one_host,
    require_used_settings,
)
from cosmith.cli.manner import manner_of
from cosmith.cli.options import told_by_option
from cosmith.cli.runtimes import PrecisionOption, RuntimeOption
from cosmith.cli.sweeps import show_sweeps, vectors_of
from cosmith.cli.texts import require_used
from cosmith.cli.vectors import CACHE_OPTION, open_vectors, tell_of_vectors

if TYPE_CHECKING:
    from cosmith.evaluation import Sweep
    from cosmith.evaluation.tasks import EvaluationTask

_FORMS = (
    "float16; int8; pca128+int8; binary; binary, rescored x4 by int8; rabitq; rabitq, rescored x4 by int8;"
    " pca128+rabitq, rescored x4 by int8"
)

_OPTIONS = dict.fromkeys(("form", "forms", "transform"), "--forms")


def vectors(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model that makes a vector of a text, named as for cosmith evaluate.")],
    tasks: Annotated[
        list[Path],
        typer.Option(
            "--task", help="A file, a folder or a tasks.yaml, as for cosmith evaluate. Several times, if need be."
        ),
    ],
    forms: Annotated[
        str, typer.Option("--forms", help="How vectors are stored and searched, with semicolons between.")
    ] = _FORMS,
    kind: Annotated[
        str, typer.Option("--kind", help="What the tasks ask, e.g. sts; auto finds it, and says so.")
    ] = "auto",
    split: Annotated[str, typer.Option("--split", help="Which split of a folder that has several.")] = "test",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for the tables (JSON, Markdown) and all scores.")
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruction", help="What stands for {task} in prompts. Default: the folder's cosmith.json."),
    ] = None,
    key_variable: KeyVariableOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap, rotations and k-means.")] = 0,
    precision: PrecisionOption = "auto",
    runtime: RuntimeOption = "auto",
    cache: Annotated[bool, CACHE_OPTION] = True,
    strict: Annotated[bool, STRICT_OPTION] = False,
) -> None:
    """Score a model with its vectors compressed: bytes, quality with intervals, what is missed, and how fast it is.

    A form is a code (float32, float16, int8, uint8, binary, pq48, rabitq), hnsw-sq8 or ivf-rabitq; before it, with a
    plus, transforms (cut128, pca128, centred-pca128, whitened128, rotated); behind it, whether the best are put in
    order by a finer code: "pca128+binary, rescored x4 by int8". pq, hnsw-sq8 and ivf-rabitq need: pip install
    "cosmith[compress]".

    Example: cosmith compress vectors all-MiniLM-L6-v2 --task my-test-set --forms "int8; binary, rescored x4 by int8"
    """
    from cosmith.atomic import require_writable
    from cosmith.evaluation import sweep_compressed
    from cosmith.retrieval.compressed import parse_forms

    manner = manner_of(context)
    with told_by_option(_OPTIONS):
        asked = parse_forms(forms)
    if output is not None:
        require_writable(output)
    require_one_host([model], key_variable)
    read = read_all(tasks, kind, split, instruction, output, manner)
    names = model_names([model])
    trained = checked(names, read, manner, strict=strict)
    kept = open_vectors(manner) if cache else None
    name = names[model]
    how = Loading(precision, key_variable=key_variable, vectors=kept, runtime=runtime)
    loaded = load(model, name, how)
    encoder = vectors_of(loaded, "MODEL")
    require_used_settings([loaded], how)
    if loaded.encoder is not None:
        require_used(instruction or "", "query", loaded.encoder)

    def score(task: EvaluationTask) -> Sweep:
        with told_by_option(_OPTIONS):
            return sweep_compressed(encoder, task, asked, seed=seed, model=name)

    show_sweeps(score, loaded, read, manner, output, trained)
    tell_of_vectors(kept, manner)
