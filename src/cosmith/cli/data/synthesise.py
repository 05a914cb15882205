"""`cosmith data synthesise`: training rows that a language model writes about texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.engines import AddressOption, EngineOption, WorkersOption, engine_of
from cosmith.cli.manner import Manner, manner_of
from cosmith.cli.texts import beside, require_other, texts_of
from cosmith.errors import ColumnError, InputError
from cosmith.phrases import one_line

if TYPE_CHECKING:
    from cosmith.mining.synthesis import Preview, Synthesis

_OPTIONS = {
    "writing_template": "--template", "languages": "--language", "classes": "--class", "types": "--type",
    "difficulties": "--difficulty", "texts": "PATH", "product": "--make",
}  # fmt: skip
"""The options of settings that are called otherwise."""
_ASKED = ("requests", "input_tokens", "output_tokens", "estimated", "money")
_IN_REMEDIES = re.compile("key_variable|allow_plain_http|input_price|output_price|most_tokens")
"""The settings that errors tell to change beside the one that is wrong."""


def synthesise(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(help="JSONL, CSV, TSV, Parquet, .txt (a text a line), a folder of documents, or a BEIR folder."),
    ],
    endpoint: Annotated[str, typer.Option("--endpoint", help="Address with version, e.g. http://localhost:11434/v1.")],
    llm: Annotated[str, typer.Option("--llm", help="What the service calls the language model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The rows, JSON lines.")],
    make: Annotated[str, typer.Option("--make", help="queries, paraphrases, translations or classes.")] = "queries",
    each: Annotated[int, typer.Option("--each", help="Queries or paraphrases a text.")] = 1,
    languages: Annotated[
        list[str] | None, typer.Option("--language", help="Language to write in; may be given several times.")
    ] = None,
    words: Annotated[tuple[int, int], typer.Option("--words", help="The least and the most words of a query.")] = (
        5,
        20,
    ),
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A question type that may be chosen; default: all five.")
    ] = None,
    difficulties: Annotated[
        list[str] | None, typer.Option("--difficulty", help="high_school, university or phd; default: all three.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="With --make classes: a class; give it for each of them.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of the texts; auto: found by its name.")] = "auto",
    most_texts: Annotated[
        int | None, typer.Option("--most-texts", min=1, help="At most so many of the texts, drawn by chance.")
    ] = None,
    template: Annotated[str | None, typer.Option("--template", help="A file in place of the writing template.")] = None,
    configuration_template: Annotated[
        str | None, typer.Option("--configuration-template", help="A file in place of the one that chooses.")
    ] = None,
    personas: Annotated[
        Path | None, typer.Option("--personas", help="Who might ask: a text file, a line each.")
    ] = None,
    encoder: Annotated[
        str, typer.Option("--encoder", help="The embedding model that finds personas for texts.")
    ] = "all-MiniLM-L6-v2",
    key_variable: Annotated[
        str | None, typer.Option("--key-variable", help="The environment variable that holds the key.")
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Send the key unencrypted to another machine.")
    ] = False,
    input_price: Annotated[float, typer.Option("--input-price", help="Of a million tokens that are read.")] = 0.0,
    output_price: Annotated[float, typer.Option("--output-price", help="Of a million that are written.")] = 0.0,
    most_money: Annotated[
        float | None, typer.Option("--most-money", help="Stop before more is spent; needs the prices.")
    ] = None,
    most_tokens: Annotated[
        int | None, typer.Option("--most-tokens", help="Stop before more are read and written.")
    ] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", help="The most requests under way at once.")] = 8,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for an answer.")] = 120.0,
    retries: Annotated[int, typer.Option("--retries", help="How often a request that failed is sent again.")] = 5,
    tokens_parameter: Annotated[
        str, typer.Option("--tokens-parameter", help="What the service calls the limit of an answer's tokens.")
    ] = "max_tokens",
    parameters: Annotated[
        list[str] | None, typer.Option("--parameter", metavar="NAME=VALUE", help="What to send besides: top_p=0.9.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="The file of the answers. Default: OUTPUT.answers.sqlite.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")] = 0,
    engine: EngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the prompts of three texts and about what all would cost.")
    ] = False,
) -> None:
    """Have a language model write queries that your texts answer, through any OpenAI-compatible endpoint.

    Each answer is kept in the cache before it is used: interrupted, or stopped by its budget, the same command goes on
    and asks nothing twice. `cosmith train --pairs OUTPUT` and the recipe stage `source` read what comes out.

    Example: cosmith data synthesise documents.jsonl --endpoint http://localhost:11434/v1 --llm qwen3:4b-instruct
    --output pairs.jsonl

    With a vendor: cosmith data synthesise documents.jsonl --endpoint https://api.example.com/v1 --llm small
    --key-variable EXAMPLE_KEY --input-price 0.4 --output-price 1.6 --most-money 5 --output pairs.jsonl
    """
    from cosmith.atomic import require_name, require_writable
    from cosmith.cli.data.card import write_card
    from cosmith.data import Source, SourceSettings
    from cosmith.mining.synthesis import (
        DIFFICULTIES,
        QUESTION_TYPES,
        TASKS,
        Budget,
        Endpoint,
        SynthesisSettings,
        load_personas,
        passages_of,
        preview,
        require_askable,
        write_rejected_answers,
        write_synthetic_rows,
    )
    from cosmith.mining.synthesis import synthesise as run
    from cosmith.recipes.artefacts import load_encoder
    from cosmith.recipes.stages.synthesis import described, drawn

    manner = manner_of(context)
    asks = engine_of(engine, address, workers)
    require_name(output)
    require_writable(output.parent)
    require_other(output, path, personas)
    with _named_by_option():
        asked = Endpoint(
            url=endpoint, model=llm, key_variable=key_variable, allow_plain_http=plain_http, concurrency=concurrency,
            timeout=timeout, retries=retries, tokens_parameter=tokens_parameter,
            parameters=_parameters(parameters or []),
        )  # fmt: skip
        settings = SynthesisSettings(
            product=make, each=each, languages=tuple(languages or ()), words=words,  # type: ignore[arg-type]
            types=tuple(types or QUESTION_TYPES), difficulties=tuple(difficulties or DIFFICULTIES),
            classes=tuple(classes or ()), writing_template=template, configuration_template=configuration_template,
            seed=seed,
        )  # fmt: skip
        budget = Budget(input_price, output_price, most_money, most_tokens)
        if not dry_run:
            require_askable(asked)
        listed = None if personas is None else load_personas(personas)
        read = texts_of(path, column, manner, rejected=beside(output, ".rejected-texts.jsonl"), part="document")
        passages = drawn(passages_of(dict(zip(read.ids, read.texts, strict=True))), most_texts, seed)
        model = load_encoder(encoder, "auto") if make == "queries" else None
        if dry_run:
            _show(preview(passages, settings, budget=budget, encoder=model, personas=listed), manner)
            return
        made = run(
            passages, asked, settings, cache=cache or beside(output, ".answers.sqlite"), budget=budget, encoder=model,
            personas=listed, engine=asks,
        )  # fmt: skip
    rejected = beside(output, ".rejected.jsonl")
    write_rejected_answers(rejected, made.rejected)
    write_synthetic_rows(output, made.rows)
    value = described(made, settings.templates(), llm)
    lines = [f"{made.describe()}. They are in {output}."]
    if made.rejected:
        found = ", ".join(f"{reason} {count:,}" for reason, count in made.reasons.items())
        lines.append(f"answers of no use: {found}; all are in {rejected}")
    for sort, samples in value["samples"].items():
        lines += [f"  {sort}: {one_line(row['query'], 60)} → {one_line(row['document'], 60)}" for row in samples]
    if made.stopped_by:
        lines.append(f"The same command with a higher --most-{made.stopped_by}, or once more, goes on from here.")
    files = {"rows_file": str(output), "rejected_file": str(rejected) if made.rejected else None}
    manner.result("\n".join(lines), value | files)
    if made.rows:
        made_for = SourceSettings(task=TASKS[settings.product])
        source = Source.from_rows(output.stem, [each.row for each in made.rows], made_for)
        write_card(
            context, source, output, manner, inputs=[path], counts=_asked_for(value), dropped=made.reasons,
            told=[made.describe(), *_earlier(made)],
            taken={"types": settings.types, "difficulties": settings.difficulties},
        )  # fmt: skip


def _asked_for(value: dict[str, Any]) -> dict[str, Any]:
    """What is counted, without the noughts of a run that found all answers there."""
    return value if value["requests"] else {name: each for name, each in value.items() if name not in _ASKED}


def _earlier(made: Synthesis) -> list[str]:
    if not made.usage.cached:
        return []
    return [f"from earlier answers: {made.usage.cached:,}; what they took is not counted here"]


def _parameters(said: list[str]) -> dict[str, Any]:
    """``["top_p=0.9"]`` as ``{"top_p": 0.9}``; values are YAML."""
    import yaml

    found = {}
    for each in said:
        name, sign, value = each.partition("=")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            sign = ""
        if not sign or not name.strip():
            raise InputError(f"{each!r} is not NAME=VALUE", field="--parameter", remedy="Write e.g. top_p=0.9.")
    return found


def _show(shown: Preview, manner: Manner) -> None:
    lines = []
    for passage, name, request in shown.prompts:
        lines += [f"── {passage}: {name}", *([request.system, ""] if request.system else []), request.prompt, ""]
    prompts = [{"passage": passage, "template": name, "messages": request.messages}
               for passage, name, request in shown.prompts]  # fmt: skip
    value = {
        "prompts": prompts,
        "passages": shown.passages,
        "requests": shown.requests,
        "input_tokens": shown.input_tokens,
        "output_tokens": shown.output_tokens,
        "money": shown.money,
    }
    manner.result("\n".join([*lines, f"Nothing was asked. {shown.describe()}"]), value)


@contextmanager
def _named_by_option() -> Iterator[None]:
    """Name the settings that are wrong, or that mend it, by their options."""
    from cosmith.mining.synthesis import EndpointError

    try:
        yield
    except (InputError, EndpointError) as error:
        if isinstance(error, ColumnError) or error.field is None or error.field.startswith("-"):
            raise
        remedy = error.remedy and _IN_REMEDIES.sub(lambda found: _option(found[0]), error.remedy)
        raise type(error)(
            error.problem, path=error.path, line=error.line, field=_option(error.field), remedy=remedy
        ) from error


def _option(setting: str) -> str:
    return _OPTIONS.get(setting, f"--{setting.replace('_', '-')}")
