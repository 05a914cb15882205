"""Rows from passages by a language model: the whole run, within its budget, to be gone on with at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.bulk import LOCAL, Engine
from cosmith.data.passages import Passage
from cosmith.errors import InputError
from cosmith.mining.synthesis.budget import Budget, Meter
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.endpoint import Endpoint, require_askable
from cosmith.mining.synthesis.personas import builtin_personas, nearest_personas
from cosmith.mining.synthesis.prompting import Prompting
from cosmith.mining.synthesis.session import Synthesis, write_about
from cosmith.mining.synthesis.settings import SynthesisSettings
from cosmith.mining.synthesis.shards import ask_in_shards, take_in
from cosmith.mining.synthesis.writing import useless
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.models import TextEncoder


def synthesise(
    passages: Sequence[Passage],
    endpoint: Endpoint,
    settings: SynthesisSettings,
    *,
    cache: str | Path,
    budget: Budget | None = None,
    encoder: TextEncoder | None = None,
    personas: Sequence[str] | None = None,
    engine: Engine = LOCAL,
) -> Synthesis:
    """Have a language model write training rows about passages.

    Queries are made in the two steps of Qwen3-Embedding (arXiv:2506.05176, section 3 and appendix): the model first
    chooses who would ask, what type of question and how hard, then writes the query. One configuration is asked for as
    many queries as are wanted of the passage, so that they differ.

    Every answer is in the cache before it is used: whatever ends a run, the same call asks nothing again that was
    answered, and one that has ended well costs nothing a second time. Answers that failed to come are asked for again.

    Args:
        passages: What to write about, with distinct ids; of equal texts only the first is taken.
        endpoint: The language model.
        settings: What to write.
        cache: The file of the answers.
        budget: Prices and limits; None: none.
        encoder: Finds the characters of queries; only they need it.
        personas: The characters to choose from; None: those that come with Cosmith.
        engine: Who asks. The workers of a Ray cluster ask for shards of the passages, each as much at once as the
            endpoint's ``concurrency`` says and within its share of the budget; what they have left of it, and what
            failed to come, is asked from here. Their shards stand in ``CACHE.shards`` until their answers are in the
            cache.

    Returns:
        The rows, what was rejected, and what it took.

    Raises:
        InputError: When an argument cannot be used, ``httpx`` is not installed, or nothing came of any passage,
            or none of many answers could be used.
        EndpointError: When the service answers nobody, or goes on failing.
        StorageError: When the cache cannot be written.
    """
    require_askable(endpoint)  # before the work that comes first
    chosen = distinct(passages)
    listed = list(personas) if personas is not None else builtin_personas()
    characters = characters_of(chosen, settings, encoder, listed)
    meter, prompting, file = Meter(budget or Budget()), Prompting(settings), Path(cache)
    folder = file.with_name(file.name + ".shards")
    with AnswerCache(file) as answers:
        take_in(folder, answers)  # of a call that was killed
        if engine.kind != "local":
            drawn = [characters(number) for number in range(len(chosen))]
            meter.usage = ask_in_shards(chosen, drawn, endpoint, prompting, answers, meter.budget, folder, engine)
    asked = meter.usage.requests
    result = write_about(chosen, characters, endpoint, prompting, lambda: AnswerCache(file), meter)
    if asked:  # what the workers asked for is not counted again as having been there, as far as it was looked up
        result = replace(result, usage=replace(result.usage, cached=max(0, result.usage.cached - asked)))
    if not result.rows and not result.stopped_by:
        raise useless(f"nothing came of {counted(len(chosen), 'passage')}", Counter(result.reasons))
    return result


def distinct(passages: Sequence[Passage]) -> list[Passage]:
    """The passages whose text stands in no earlier one.

    Raises:
        InputError: When there are none, or an id stands twice.
    """
    if not passages:
        raise InputError("there is no passage", field="texts", remedy="Give texts to write about.")
    if len({each.id for each in passages}) < len(passages):
        twice = next(name for name, count in Counter(each.id for each in passages).items() if count > 1)
        raise InputError(f"the id {twice!r} stands twice", field="texts", remedy="Give every passage its own.")
    by_text: dict[str, Passage] = {}
    for each in passages:
        by_text.setdefault(each.text, each)
    return list(by_text.values())


def characters_of(
    passages: Sequence[Passage], settings: SynthesisSettings, encoder: TextEncoder | None, personas: Sequence[str]
) -> Callable[[int], list[str]]:
    """Who might ask about each passage: a function from its place in the list to the nearest personas."""
    if settings.product != "queries":
        return lambda number: []
    if encoder is None:
        raise InputError(
            "the characters of queries are found by an encoder", field="encoder", remedy="Give a model that encodes."
        )
    if not personas:
        raise InputError("there is no persona", field="personas", remedy="Give some, or leave them out.")
    nearest = nearest_personas(encoder, [each.text for each in passages], personas, settings.characters)
    return lambda number: [personas[each] for each in nearest[number]]
