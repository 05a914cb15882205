"""Rows from passages by a language model: the whole run, within its budget, to be gone on with at any time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cosmith.errors import InputError
from cosmith.mining.synthesis.budget import Budget, BudgetSpentError, Limit, Meter, Usage
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.client import ChatClient, require_askable
from cosmith.mining.synthesis.endpoint import Endpoint
from cosmith.mining.synthesis.personas import builtin_personas, nearest_personas
from cosmith.mining.synthesis.prompting import Prompting
from cosmith.mining.synthesis.rows import RejectedAnswer, SyntheticRow
from cosmith.mining.synthesis.settings import Passage, SynthesisSettings
from cosmith.mining.synthesis.writing import Outcome, Writer, useless
from cosmith.phrases import counted
from cosmith.progress import Bar, track

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

T = TypeVar("T")


@dataclass(frozen=True)
class Synthesis:
    """What came of it.

    Attributes:
        rows: The rows, in the order of the passages.
        rejected: Answers that could not be used, likewise.
        usage: What was asked, and what it cost.
        passages: How many passages there were.
        finished: Of how many all was asked.
        stopped_by: The limit of the budget that ended the run; None where it went to its end.
    """

    rows: list[SyntheticRow]
    rejected: list[RejectedAnswer]
    usage: Usage
    passages: int
    finished: int
    stopped_by: Limit | None

    @property
    def reasons(self) -> dict[str, int]:
        """How many answers were rejected for each reason, the commonest first."""
        return dict(Counter(each.reason for each in self.rejected).most_common())

    def describe(self) -> str:
        """The counts in one line."""
        use = self.usage
        line = f"{counted(len(self.rows), 'row')} from {self.finished:,} of {counted(self.passages, 'passage')}"
        line += f"; {counted(use.requests, 'answer')} asked for, {use.cached:,} there already"
        about = "about " if use.estimated else ""
        line += f"; {about}{use.input_tokens:,} tokens read, {use.output_tokens:,} written"
        if use.money:
            line += f", {about}{use.money:.4g} spent"
        if self.rejected:
            line += f"; {counted(len(self.rejected), 'answer')} of no use"
        if self.stopped_by:
            line += f"; stopped: the {self.stopped_by} that may be spent would not have paid for more"
        return line


def synthesise(
    passages: Sequence[Passage],
    endpoint: Endpoint,
    settings: SynthesisSettings,
    *,
    cache: str | Path,
    budget: Budget | None = None,
    encoder: TextEncoder | None = None,
    personas: Sequence[str] | None = None,
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
    result = _run(lambda: _synthesise(chosen, characters, endpoint, settings, Path(cache), budget or Budget()))
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


async def _synthesise(
    passages: Sequence[Passage],
    characters: Callable[[int], list[str]],
    endpoint: Endpoint,
    settings: SynthesisSettings,
    cache: Path,
    budget: Budget,
) -> Synthesis:
    meter = Meter(budget)
    outcomes: dict[int, Outcome] = {}
    stopped: list[Limit] = []
    work = iter(enumerate(passages))
    with AnswerCache(cache) as answers, track(f"Writing {settings.product}", len(passages), "passages") as bar:
        async with ChatClient(endpoint, answers, meter) as client:
            writer = Writer(Prompting(settings), client)

            async def worker() -> None:
                for number, passage in work:
                    if stopped:
                        return
                    outcomes[number] = outcome = Outcome()
                    try:
                        await writer.write(passage, characters(number), outcome)
                    except BudgetSpentError as error:
                        stopped.append(error.limit)
                        return
                    _tell(bar, meter, outcomes, len(passages))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(endpoint.concurrency, len(passages))):
                        group.create_task(worker())
            except BaseExceptionGroup as failed:  # the first says why; the others were ended by it, or fail alike
                raise failed.exceptions[0] from None
    ordered = [outcomes[number] for number in sorted(outcomes)]
    return Synthesis(
        rows=[row for outcome in ordered for row in outcome.rows],
        rejected=[answer for outcome in ordered for answer in outcome.rejected],
        usage=meter.usage,
        passages=len(passages),
        finished=sum(outcome.finished for outcome in ordered),
        stopped_by=stopped[0] if stopped else None,
    )


def _tell(bar: Bar, meter: Meter, outcomes: dict[int, Outcome], passages: int) -> None:
    """Count a passage, and say what has been spent and what the whole may come to."""
    done = max(1, len(outcomes))
    use = meter.usage
    if use.money:
        spent = f"{use.money:.2f} spent of about {use.money * passages / done:.2f}"
    else:
        spent = f"{use.input_tokens + use.output_tokens:,} tokens"
    bar.advance(1, status=spent)


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, also where a loop of events runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()
