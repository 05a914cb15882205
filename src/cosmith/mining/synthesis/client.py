"""Asking a language model: never twice what has been answered."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from cosmith.mining.synthesis.budget import Meter
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.chat import ChatRequest, Completion, completion_of
from cosmith.mining.synthesis.endpoint import Endpoint
from cosmith.services import RefusedRequestError, ServiceClient

# The ways to ask for JSON, the best first: held to a schema, any JSON, or just by the words of the prompt.
_FORMATS = ("json_schema", "json_object", "text")


class ChatClient:
    """Asks one model, many questions at once; used as an asynchronous context.

    Args:
        endpoint: Where it is.
        cache: Answers that are there already; the new ones go into it.
        meter: Counts what they take, and holds back what the budget does not pay for.

    Raises:
        InputError: When ``httpx`` is not installed, or the key's variable is not set.
    """

    def __init__(self, endpoint: Endpoint, cache: AnswerCache, meter: Meter) -> None:
        self.endpoint, self.cache, self.meter = endpoint, cache, meter
        self._service = ServiceClient(endpoint, extra="llm")
        self._format = 0

    async def __aenter__(self) -> Self:
        await self._service.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._service.__aexit__(kind, error, trace)

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer to a question, from the cache or from the service; it is in the cache before it is given back.

        Raises:
            BudgetSpentError: When the budget does not pay for it.
            RefusedRequestError: When the service will not answer this one.
            FailedRequestError: When it failed as often as it may be sent.
            EndpointError: When the service answers nobody: out of reach, or key, address or model are wrong.
        """
        key = request.key(self.endpoint.model, self.endpoint.parameters)
        if (known := self.cache.get(key)) is not None:
            self.meter.count(request, known)
            return known
        async with self.meter.under_way(request):
            answer = await self._ask(request)
            self.cache.put(key, answer)
            self.meter.count(request, answer)
        return answer

    async def _ask(self, request: ChatRequest) -> Completion:
        """Ask in the best way that the service understands; which that is, is remembered."""
        first = self._format
        for number in range(first, len(_FORMATS)):
            try:
                answer = await self._service.post(
                    "chat/completions",
                    self._body(request, _FORMATS[number]),
                    lambda value: completion_of(value, request),
                )
            except RefusedRequestError:
                # It may be the fault of the way in which JSON is asked for.
                if number + 1 == len(_FORMATS):
                    raise
            else:
                self._format = max(self._format, number)
                return answer
        raise AssertionError("there is always a last way to ask")

    def _body(self, request: ChatRequest, form: str) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": request.messages, self.endpoint.tokens_parameter: request.max_tokens}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if form == "json_schema":
            schema = {"name": request.schema_name, "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": form, "json_schema": schema}
        elif form == "json_object":
            body["response_format"] = {"type": form}
        return body
