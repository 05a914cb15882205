"""Having one client write about passages, within a budget, until all is asked or the budget is spent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cosmith.data.passages import Passage
from cosmith.mining.synthesis.budget import BudgetSpentError, Limit, Meter, Usage
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.client import ChatClient
from cosmith.mining.synthesis.endpoint import Endpoint
from cosmith.mining.synthesis.prompting import Prompting
from cosmith.mining.synthesis.rows import RejectedAnswer, SyntheticRow
from cosmith.mining.synthesis.writing import Outcome, Writer
from cosmith.phrases import counted
from cosmith.progress import Bar, track
from cosmith.services import run_to_end


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


def write_about(
    passages: Sequence[Passage],
    characters: Callable[[int], list[str]],
    endpoint: Endpoint,
    prompting: Prompting,
    answers: Callable[[], AnswerCache],
    meter: Meter,
) -> Synthesis:
    """Write about passages, as many at once as the endpoint takes.

    Args:
        passages: They.
        characters: Who might ask about each, by its place in the list.
        endpoint: Who answers.
        prompting: What is asked.
        answers: Opens the cache.
        meter: Counts what is spent; what it has counted before belongs to the run.

    Raises:
        EndpointError: When the service answers nobody, or goes on failing.
        InputError: When none of many answers could be used.
    """
    return run_to_end(lambda: _written(passages, characters, endpoint, prompting, answers, meter))


async def _written(
    passages: Sequence[Passage],
    characters: Callable[[int], list[str]],
    endpoint: Endpoint,
    prompting: Prompting,
    open_answers: Callable[[], AnswerCache],
    meter: Meter,
) -> Synthesis:
    outcomes: dict[int, Outcome] = {}
    stopped: list[Limit] = []
    work = iter(enumerate(passages))
    told = f"Writing {prompting.settings.product}"
    with open_answers() as answers, track(told, len(passages), "passages") as bar:
        async with ChatClient(endpoint, answers, meter) as client:
            writer = Writer(prompting, client)

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
