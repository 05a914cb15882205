"""`cosmith data mine`: hard negatives for a file of pairs."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cosmith.cli.engines import AddressOption, EngineOption, WorkersOption, engine_of
from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.texts import beside, rejected_value, require_other, require_used, texts_of, warn_of_rejected
from cosmith.errors import ColumnError, InputError
from cosmith.phrases import counted, one_line

if TYPE_CHECKING:
    from cosmith.data import Passage, RowsFile, Source, TrainingRow

_EXAMPLES, _SAMPLES = 2, 5


def mine(
    context: typer.Context,
    pairs: Annotated[Path, typer.Argument(help="JSONL, CSV, TSV or Parquet: a query and its answer a row.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the rows with their negatives go, .jsonl.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help="The model that ranks the documents; say it again for several.", show_default=False
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option("--corpus", help="More documents: a file of texts or a BEIR folder; may be said again."),
    ] = None,
    query: Annotated[str, typer.Option("--query", help="The column of the queries.")] = "auto",
    positive: Annotated[str, typer.Option("--positive", help="The column of the answers.")] = "auto",
    instruction: Annotated[
        str, typer.Option("--instruction", help="What the queries ask for: stands for {task} in the model's prompts.")
    ] = "",
    negatives: Annotated[int, typer.Option("--negatives", min=1, help="Negatives a row.")] = 1,
    candidates: Annotated[str, typer.Option("--candidates", help="Who ranks: dense, bm25 or both.")] = "dense",
    agreement: Annotated[int, typer.Option("--agreement", help="In how many rankings a document must stand.")] = 1,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio",
            help="Leave out what scores above this share of the answer; 0: no such limit. Default: 0.95, and no limit"
            " where every row has a label.",
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Leave out what scores less than this below the answer.")
    ] = None,
    max_score: Annotated[float | None, typer.Option("--max-score", help="Leave out what scores this or more.")] = None,
    cross_encoder: Annotated[
        str | None,
        typer.Option("--cross-encoder", help="A cross-encoder; what it puts above the answer is left out, too."),
    ] = None,
    skip_top: Annotated[int, typer.Option("--skip-top", help="Leave out the first so many that pass.")] = 0,
    sample: Annotated[str, typer.Option("--sample", help="top, or random from the first --depth.")] = "top",
    depth: Annotated[
        int, typer.Option("--depth", help="How far down random draws, rankings are compared, a cross-encoder reads.")
    ] = 50,
    replace: Annotated[bool, typer.Option("--replace", help="In place of the negatives that rows have.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Write the cosines of all texts, for distillation.")] = False,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="Likely answers to judge: written there, and followed where you have judged."),
    ] = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Compare the first DIM numbers only.")] = None,
    stored_as: Annotated[str, typer.Option("--stored-as", help="Vectors on disk: float32 or float16.")] = "float32",
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0,
    precision: Annotated[str, typer.Option("--precision", help="auto, float32 or bf16.")] = "auto",
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Find hard negatives: documents that a model ranks high for a query and that do not answer it.

    Vectors go to OUTPUT.vectors; interrupted, the same command goes on from there, and others over the same texts use
    them. In the file of --review, put true or false after "answers", and run the same command again.

    Example: cosmith data mine pairs.jsonl --corpus documents.jsonl --negatives 4 --output mined.jsonl
    """
    from cosmith.cli.data.card import write_card
    from cosmith.data import Source, SourceSettings, reasons, write_rows
    from cosmith.mining import Review, mine_hard_negatives, ratio_of, read_review, write_review
    from cosmith.mining.hard_negatives import Limits, bare_rows, require_negatives, shortage
    from cosmith.recipes.artefacts import load_encoder

    if output.suffix != ".jsonl":
        raise InputError("is not the name of a .jsonl file", path=output, field="--output", remedy="End it in .jsonl.")
    require_other(output, pairs, *(corpus or ()))
    manner = manner_of(context)
    makes = engine_of(engine, address, workers)
    judged = read_review(review) if review is not None and review.exists() else Review()
    rejected = beside(output, ".rejected.jsonl")
    read, rows = _read(pairs, query, positive, manner, rejected)
    more = [each for file in corpus or () for each in _passages(file, manner, output)]
    encoders = [load_encoder(name, precision) for name in model or ["all-MiniLM-L6-v2"]]
    require_used(instruction, "query", *encoders)
    source = Source.from_rows(pairs.stem, rows, SourceSettings(instruction=instruction))
    share: float | Literal["auto"] | None = "auto" if ratio is None else ratio or None
    with told_by_option(_OPTIONS):
        found = mine_hard_negatives(
            encoders, source, corpus=more, negatives_per_row=negatives, candidates=candidates,  # type: ignore[arg-type]
            agreement=agreement, depth=depth, skip_top=skip_top, sample=sample,  # type: ignore[arg-type]
            ratio=share, margin=margin, max_score=max_score,
            cross_encoder=_reader(cross_encoder, precision), review=judged, keep=False if replace else "auto",
            scores=scores, seed=seed, dim=dim, folder=beside(output, ".vectors"),
            stored_as=stored_as, engine=makes,  # type: ignore[arg-type]
        )  # fmt: skip
        limits = Limits(ratio_of(share, source), margin, max_score)
        require_negatives(found, limits, skip_top)
    write_rows(output, found.source.rows(), read.rest())
    if not found.negatives:
        manner.warn("no negative was found for any row: they have those that they had before")
    if (few := shortage(found, limits, skip_top)) is not None:
        manner.warn(few)
    lines = [
        f"{found.describe()}",
        f"all rows are in {output}; train on them: cosmith train --pairs {quote(str(output))}",
    ]
    lines[1:1] = [
        f"  left out: {one_line(each.query, 60)} → {one_line(each.document, 60)}, {each.score:.3f} (its answer"
        f" {each.positive_score:.3f})"
        for each in found.possible_positives.one_a_query(_EXAMPLES)
    ]
    value: dict[str, Any] = {
        "rows": found.rows, "documents": found.documents, "negatives": found.negatives, "rejected": found.rejected,
        "estimated_positives": found.estimated_positives, "short_rows": found.short_rows,
        "bare_rows": bare_rows(found), "output": str(output),
    }  # fmt: skip
    value |= {f"unread_{key}": each for key, each in rejected_value(read.rejected, rejected).items()}
    if review is not None:
        value |= {"judged": len(judged.judged), "to_judge": write_review(review, found.possible_positives, judged)}
        lines.append(f"{counted(value['to_judge'], 'likely answer')} to judge in {review}, {value['judged']} judged")
    manner.result("\n".join(lines), value)
    write_card(
        context, found.source, output, manner, inputs=[pairs, *(corpus or ())], counts=value,
        dropped=reasons(read.rejected), told=[found.describe(), *read.notes], samples=_samples(found.source),
        taken={"model": [each.name for each in encoders], "ratio": limits.ratio},
    )  # fmt: skip


def _samples(source: Source) -> list[dict[str, str]]:
    """Some rows, evenly spread, with a negative each where they have one."""
    rows = map(source.row, range(0, len(source), max(1, len(source) // _SAMPLES))[:_SAMPLES])
    return [
        {"query": row.query, **{role: texts[0] for role, texts in (("document", row.positives),
                                                                   ("negative", row.negatives)) if texts}}
        for row in rows
    ]  # fmt: skip


def _read(pairs: Path, query: str, positive: str, manner: Manner, rejected: Path) -> tuple[RowsFile, list[TrainingRow]]:
    from cosmith.data import open_rows, write_rejected

    try:
        file = open_rows(pairs, query=query, positive=positive)
    except ColumnError as error:
        option = f"--{error.field}"
        raise error.told_as(option, f"{option} ") from error
    for note in file.notes:
        manner.warn(note)
    try:
        rows = list(file)
    finally:
        write_rejected(rejected, file.rejected)
    warn_of_rejected(file.rejected, rejected, manner)
    return file, rows


def _passages(file: Path, manner: Manner, output: Path) -> list[Passage]:
    from cosmith.data import passages_of

    rejected = beside(output, f".{file.stem}.rejected.jsonl")
    read = texts_of(file, "auto", manner, rejected=rejected, part="document")
    return passages_of(dict(zip(read.ids, read.texts, strict=True)))


def _reader(name: str | None, precision: str) -> Any:
    if name is None:
        return None
    from cosmith.models import CrossEncoder

    return CrossEncoder.load(name, precision=precision)  # type: ignore[arg-type]


_OPTIONS = options_of(
    "candidates", "agreement", "depth", "skip_top", "sample", "ratio", "margin", "max_score", "stored_as", "dim",
    "language", "address",
)  # fmt: skip
