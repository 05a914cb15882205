"""What the commands that evaluate can score, by what stands in the place of a model on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cosmith.cli.options import options_of, told_by_option
from cosmith.cli.vectors import remembering
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.evaluation import Contestant, Scores
    from cosmith.models import ReadingEncoder, RemoteEncoder, TextEncoder, VectorCache
    from cosmith.retrieval import Hits

BM25 = "bm25"
"""What it is called where a model's name stands."""

_SEARCHES = "Name bm25, or a model that makes vectors."

CandidatesOption = Annotated[
    str | None,
    typer.Option(
        "--candidates", help="What finds the documents that a cross-encoder reads: a model or a run. Default: bm25."
    ),
]
ReadOption = Annotated[
    int | None,
    typer.Option("--read", min=1, help="How many documents of each query a cross-encoder reads. Default: 100."),
]
KeyVariableOption = Annotated[
    str | None,
    typer.Option("--key-variable", help="The environment variable that holds the key of a service (https://HOST/v1#MODEL)."),
]  # fmt: skip


@dataclass(frozen=True)
class Loading:
    """How what is to be scored is loaded.

    Attributes:
        precision: In what models compute.
        dim: Compare only this many numbers of each vector.
        key_variable: The environment variable that holds a service's key.
        candidates: What searches for a cross-encoder; None: BM25.
        read: How many documents of each query that reads; None: 100.
        vectors: Vectors that were made before.
        prompts: Name → text put before each text of that kind, in place of the model's own.
        runtime: What runs models that make vectors.
    """

    precision: str = "auto"
    dim: int | None = None
    key_variable: str | None = None
    candidates: str | None = None
    read: int | None = None
    vectors: VectorCache | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    runtime: str = "auto"


@dataclass(frozen=True)
class Loaded:
    """Something to be scored.

    Attributes:
        contestant: It.
        encoder: The model as it was loaded, where it is one whose tokens can be counted here.
        reads: Whether it reads what something else finds.
    """

    contestant: Contestant
    encoder: ReadingEncoder | None = None
    reads: bool = False


def load(model: str, called: str, how: Loading) -> Loaded:
    """Whatever stands in the place of a model, ready to be scored.

    Args:
        model: ``bm25``; a TREC run; a file of word vectors; a service's address, ``https://HOST/v1#MODEL``; or a model
            of any kind: a folder, a packaged model's name or a hub id.
        called: What to call it.
        how: How to load it.

    Raises:
        InputError: When there is no such thing, or prompts are given to what has none.
    """
    from cosmith.evaluation import Contestant
    from cosmith.services import is_address

    if how.prompts and not _makes_vectors(model):
        raise InputError(f"{called} reads no prompts", field=f"--{next(iter(how.prompts))}-prompt",
                         remedy="Leave it out.")  # fmt: skip
    if model == BM25:
        return Loaded(Contestant.bm25(name=called))
    if is_run(model):
        return Loaded(Contestant.run(model, name=called))
    if is_address(model):
        return Loaded(_dense(_remote(model, called, how), called, how))
    from cosmith.models import find_model, kind_of

    kind = "dense" if Path(model).is_file() else kind_of(find_model(model))
    if kind == "dense":
        from cosmith.recipes.artefacts import load_reading_encoder

        encoder = load_reading_encoder(model, how.precision, called, how.runtime)
        if how.prompts:
            encoder.set_prompts({**encoder.prompts, **how.prompts})
        return Loaded(_dense(encoder, called, how), encoder)
    if how.prompts:
        raise InputError(f"prompts can be given to dense models only, and {called} is a {kind} model",
                         field=f"--{next(iter(how.prompts))}-prompt", remedy="Leave it out.")  # fmt: skip
    from cosmith.recipes.artefacts import load_late_interaction, load_reranker, load_sparse_encoder

    if kind == "sparse":
        return Loaded(Contestant.sparse(load_sparse_encoder(model, how.precision, called), name=called))
    if kind == "late-interaction":
        return Loaded(Contestant.late_interaction(load_late_interaction(model, how.precision, called), name=called))
    if how.candidates == model:
        raise InputError("is the cross-encoder itself", path=model, field="--candidates", remedy=_SEARCHES)
    place = how.candidates or BM25
    first = load(place, place, replace(how, prompts={}, candidates=None))
    if first.reads:
        raise InputError("is a cross-encoder, too, which cannot search", path=place, field="--candidates",
                         remedy=_SEARCHES)  # fmt: skip
    scorer = load_reranker(model, how.precision, called)
    return Loaded(Contestant.reranker(scorer, first.contestant, top=how.read or 100, name=called), reads=True)


def require_used_settings(loaded: Iterable[Loaded], how: Loading) -> None:
    """Refuse settings that change nothing.

    Raises:
        InputError: When candidates are named and nothing reads any, or a length or a runtime where no model makes
            vectors.
    """
    some = list(loaded)
    if not any(each.reads for each in some):
        for field, given in (("--candidates", how.candidates), ("--read", how.read)):
            if given is not None:
                raise InputError("no cross-encoder is scored here, which would read them", field=field,
                                 remedy="Leave it out, or name a cross-encoder.")  # fmt: skip
    if how.runtime != "auto" and not any(each.encoder for each in some) and how.candidates is None:
        raise InputError("no model that makes vectors is run here", field="--runtime", remedy="Leave it out.")
    if how.dim is not None and not any(each.contestant.encoder for each in some) and how.candidates is None:
        raise InputError("no vectors are compared here that could be cut", field="--dim", remedy="Leave it out.")


def _remote(model: str, called: str, how: Loading) -> RemoteEncoder:
    from cosmith.models import RemoteEncoder
    from cosmith.services import Service

    with told_by_option(options_of("key_variable")):
        service = Service.at(model, key_variable=how.key_variable)
        return RemoteEncoder(service, prompts=how.prompts, name=called)


def _dense(encoder: TextEncoder, called: str, how: Loading) -> Contestant:
    from cosmith.evaluation import Contestant

    return Contestant.dense(remembering(encoder, how.vectors), dim=how.dim, name=called)


def is_run(model: str) -> bool:
    """Whether this is the file of a run of another system."""
    from cosmith.data.word_vectors import holds_word_vectors

    return Path(model).is_file() and not holds_word_vectors(Path(model))


def _makes_vectors(model: str) -> bool:
    return model != BM25 and not is_run(model)


def any_vectors(models: Iterable[str]) -> bool:
    """Whether one of them is a model, not BM25 or a run."""
    return any(map(_makes_vectors, models))


def require_one_host(models: Sequence[str], key_variable: str | None) -> None:
    """Refuse to send one key to several services.

    Raises:
        InputError: When a key is given, and there is no service that it could be for, or there are several.
    """
    from cosmith.services import is_address

    hosts = {urlsplit(model).netloc for model in models if is_address(model)}
    if key_variable is not None and len(hosts) != 1:
        problem = f"the key would go to {' and '.join(sorted(hosts))}" if hosts else "there is no service that needs it"
        remedy = (
            "Evaluate each by itself with an --output, then cosmith compare the files of scores."
            if hosts
            else "Leave it out, or name a model as https://HOST/v1#MODEL."
        )
        raise InputError(problem, field="--key-variable", remedy=remedy)


def model_names(models: Sequence[str]) -> dict[str, str]:
    """What to call each model: its short name, or the whole one where the short ones are the same."""
    short = {model: _short(model) for model in models}
    return short if len(set(short.values())) == len(short) else {model: model for model in models}


def _short(name: str) -> str:
    """A model's name in tables: of a folder called `model` the folder above it, too; of a service its model."""
    from cosmith.services import is_address

    if is_address(name):
        name = name.partition("#")[2] or name
    path = Path(name)
    return "/".join(path.parts[-2:]) if path.name == "model" else path.name


def write_run(output: Path, scores: Scores, hits: Hits) -> None:
    """What was found as a TREC run beside the scores, ``TASK--MODEL.run``."""
    from cosmith.evaluation import write_trec_run

    write_trec_run(output / f"{file_name(scores)}.run", hits, scores.query_ids, tag=scores.model)


def file_name(scores: Scores) -> str:
    """How the files of a model on a task are called."""
    return f"{scores.task}--{scores.model}".replace("/", "-")
