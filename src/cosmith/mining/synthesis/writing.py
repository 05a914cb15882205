"""From a passage to rows: asks, reads the answers, asks again where one is of no use, and writes down why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cosmith.data import TrainingRow
from cosmith.data.passages import Passage
from cosmith.data.texts import text_problem
from cosmith.errors import InputError
from cosmith.mining.synthesis.checks import is_copy, is_other_language, is_too_long, words_of
from cosmith.mining.synthesis.prompting import Prompting, Question
from cosmith.mining.synthesis.rows import Assignment, RejectedAnswer, SyntheticRow, rejected_answer
from cosmith.mining.synthesis.shapes import read_answer
from cosmith.mining.synthesis.templates import KINDS
from cosmith.phrases import one_line
from cosmith.services import EndpointError, FailedRequestError, RefusedRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from cosmith.mining.synthesis.client import ChatClient

_MOST_FAILURES = 10
"""So many failures in a row, and the service is taken for gone: waiting for each of the rest would take days."""


_MOST_USELESS = 30
"""So many answers without a row among them, and the rest would be no better: it is not paid for."""

_REMEDIES = {
    "truncated": "A model that thinks aloud has to be told not to (parameters), or needs more max_tokens in the"
    " templates; see docs/synthesis.md.",
}


@dataclass
class Outcome:
    """What has come of a passage so far.

    Attributes:
        rows: Its rows.
        rejected: Answers that could not be used.
        finished: Whether nothing is left to ask.
    """

    rows: list[SyntheticRow] = field(default_factory=list)
    rejected: list[RejectedAnswer] = field(default_factory=list)
    finished: bool = False


class Writer:
    """Makes rows of passages, one passage at a time or many at once.

    Args:
        prompting: The questions.
        client: Whom they are put to.
    """

    def __init__(self, prompting: Prompting, client: ChatClient) -> None:
        self.prompting, self.client = prompting, client
        self._failures = 0
        self._useless: Counter[str] | None = Counter()  # None once there is a row

    async def write(self, passage: Passage, characters: Sequence[str], outcome: Outcome) -> None:
        """Ask all that the settings ask about a passage.

        Args:
            passage: The passage.
            characters: Who might ask, where it is about queries.
            outcome: Takes what comes of it as it comes, so that what was made before an error is there.

        Raises:
            BudgetSpentError, EndpointError: As :meth:`ChatClient.complete`; and when requests go on failing.
            InputError: When many answers have come of which none could be used.
        """
        if self.prompting.configuring is None:
            assignments = self.prompting.assignments(passage)
        else:
            chosen = await self._answer(self.prompting.configuration(passage, characters), passage, outcome)
            configurations: list[Any] = [] if chosen is None else chosen.configurations  # type: ignore[attr-defined]
            assignments = [
                self.prompting.query_assignment(passage, number, each, characters)
                for number, each in enumerate(configurations[: self.prompting.settings.each])
            ]
        for number, made in enumerate(assignments):
            await self._text(passage, made, number, outcome)
        outcome.finished = True

    async def _text(self, passage: Passage, made: Assignment, number: int, outcome: Outcome) -> None:
        """Have one text written, and make a row of it."""
        question = self.prompting.text(passage, made, number)
        key = KINDS[question.template.kind].answer
        alike = [each for each in outcome.rows if each.assignment.language == made.language]
        written = {" ".join(words_of(self._own(each))) for each in alike}

        def problem(value: BaseModel) -> str:
            return self._problem(getattr(value, key).strip(), passage, made, written)

        value = await self._answer(question, passage, outcome, problem)
        if value is not None:
            row = self._row(passage, getattr(value, key).strip(), made)
            model = self.client.endpoint.model
            self._useless = None
            outcome.rows.append(SyntheticRow(row, passage.id, made, model, question.template.fingerprint()))

    async def _answer(
        self,
        question: Question,
        passage: Passage,
        outcome: Outcome,
        problem: Callable[[BaseModel], str] = lambda value: "",
    ) -> BaseModel | None:
        """An answer that can be used; None when there is none after all tries."""
        for number in range(self.prompting.settings.tries):
            request = replace(question.request, attempt=question.request.attempt + number)
            try:
                completion = await self.client.complete(request)
            except (RefusedRequestError, FailedRequestError) as error:
                outcome.rejected.append(rejected_answer(passage.id, question.template.name, _of_service(error), ""))
                self._count_failure(error)
                return None
            self._failures = 0
            value, reason = read_answer(completion, question.shape)
            reason = reason if value is None else problem(value)
            if value is not None and not reason:
                return value
            said = completion.refusal or completion.text
            outcome.rejected.append(rejected_answer(passage.id, question.template.name, reason, said))
            self._count_useless(reason, said)
            if reason == "refusal":  # it would be one again
                return None
        return None

    def _count_useless(self, reason: str, said: str) -> None:
        if self._useless is None:
            return
        self._useless[reason] += 1
        if self._useless.total() == _MOST_USELESS:
            last = f"; the last one: {one_line(said, 150)!r}" if said.strip() else ""
            raise useless(f"{_MOST_USELESS} answers were of no use before there was a row{last}", self._useless)

    def _count_failure(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == _MOST_FAILURES:
            raise EndpointError(
                f"{self.client.endpoint.url}: {_MOST_FAILURES} requests in a row came to nothing, the last: {error}",
                field="endpoint",
                remedy="What was answered is kept: the same command goes on from there once the service does.",
            ) from error

    def _problem(self, text: str, passage: Passage, made: Assignment, written: set[str]) -> str:
        """Why a text cannot be used; empty when it can."""
        if not text:
            return "empty"
        if text_problem(text) is not None:
            return "no text"
        if " ".join(words_of(text)) in written:
            return "the same as another one of the passage"
        if is_copy(text, passage.text):
            return "copied from the passage"
        if is_too_long(text, made.words or len(words_of(passage.text))):
            return "too long"
        if is_other_language(text, made.language):
            return "wrong language"
        return ""

    def _row(self, passage: Passage, text: str, made: Assignment) -> TrainingRow:
        said = self.prompting.settings
        group = passage.document or passage.id
        if said.product == "queries":
            return TrainingRow(text, (passage.text,), group=group, document_group=group)
        if said.product == "classes":
            others = tuple(each for each in said.classes if each != made.label)
            return TrainingRow(text, (made.label,), others, group=group)
        return TrainingRow(passage.text, (text,), group=group)

    def _own(self, made: SyntheticRow) -> str:
        """What was written of a row."""
        return made.row.query if self.prompting.settings.product in ("queries", "classes") else made.row.positives[0]


def useless(what: str, reasons: Counter[str]) -> InputError:
    """The error for answers that were of no use, with the reasons, and a remedy for the commonest."""
    told = ", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common())
    remedy = "Look at the prompts (dry run), and try another model or template."
    return InputError(f"{what} ({told})", remedy=_REMEDIES.get(reasons.most_common(1)[0][0], remedy))


def _of_service(error: RefusedRequestError | FailedRequestError) -> str:
    return "the service refused the request" if isinstance(error, RefusedRequestError) else "the service failed"
