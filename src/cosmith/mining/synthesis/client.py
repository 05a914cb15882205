"""Asking a language model over HTTP: again where a failure may pass, never twice what has been answered."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cosmith.errors import InputError
from cosmith.mining.synthesis.budget import Meter
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.chat import ChatRequest, Completion, NoCompletionError, completion_of
from cosmith.mining.synthesis.endpoint import Endpoint, EndpointError
from cosmith.phrases import one_line

if TYPE_CHECKING:
    import httpx

_LONGEST_ASKED_WAIT = 3600.0
_MAY_PASS = (408, 425, 429)
_KEPT_SHUT = {
    401: "the key is missing or not accepted",
    402: "the account has nothing left to pay with",
    403: "the key does not open this",
    404: "there is no such address or model",
    405: "that is not an address for chats",
}
_ACCESS = "Check the endpoint, the name of the model, and the variable of the key (key_variable)."

# The ways to ask for JSON, the best first: held to a schema, any JSON, or just by the words of the prompt.
_FORMATS = ("json_schema", "json_object", "text")


class RefusedRequestError(Exception):
    """A request that the service will not answer as it is, though it answers others."""


class FailedRequestError(Exception):
    """A request that failed as often as it may be sent."""


def require_askable(endpoint: Endpoint) -> str | None:
    """Refuse an endpoint that cannot be asked from here; gives its key.

    Raises:
        InputError: When ``httpx`` is not installed, or the key's variable is not set.
    """
    if importlib.util.find_spec("httpx") is None:
        raise InputError("needs the package httpx", field="llm", remedy='Run: pip install "cosmith[llm]"')
    return endpoint.key()


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
        key = require_askable(endpoint)
        import httpx

        self.endpoint, self.cache, self.meter = endpoint, cache, meter
        self._key = key
        self._format = 0
        self._answered = False
        self._paused_until = 0.0
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(endpoint.timeout, connect=min(10.0, endpoint.timeout)),
            limits=httpx.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency),
            trust_env=not endpoint.is_local,  # a proxy of the environment does not know this machine's services
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

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
        self._answered = True
        return answer

    async def _ask(self, request: ChatRequest) -> Completion:
        """Ask in the best way that the service understands; which that is, is remembered."""
        first = self._format
        for number in range(first, len(_FORMATS)):
            try:
                answer = await self._send(request, _FORMATS[number])
            except RefusedRequestError:
                if number + 1 == len(_FORMATS):
                    raise
            else:
                self._format = max(self._format, number)
                return answer
        raise AssertionError("there is always a last way to ask")

    async def _send(self, request: ChatRequest, form: str) -> Completion:
        """Send a request, and again where it fails in a way that may pass."""
        import httpx

        body = self._body(request, form)
        problem = ""
        for attempt in range(self.endpoint.retries + 1):
            asked_wait = 0.0
            await self._pause()
            try:
                async with asyncio.timeout(self.endpoint.timeout):  # httpx's own is for each part of a response
                    response = await self._http.post(self.endpoint.address, json=body)
                if response.status_code == httpx.codes.OK:
                    return completion_of(response.json(), request)
                problem = self._problem(response)
                if not _may_pass(response.status_code):
                    self._refuse(response.status_code, problem)
                asked_wait = _asked_wait(response.headers.get("Retry-After"))
            except (NoCompletionError, json.JSONDecodeError, UnicodeDecodeError) as error:
                problem = f"what it answers is not the protocol's ({error})"
            except (httpx.TimeoutException, TimeoutError):
                problem = f"no answer within {self.endpoint.timeout:g} seconds"
            except httpx.TransportError as error:
                problem = f"the connection failed ({str(error) or type(error).__name__})"
            except httpx.DecodingError as error:
                problem = f"what it answers cannot be unpacked ({error})"
            if attempt < self.endpoint.retries:
                await self._back_off(attempt, asked_wait)
        if not self._answered:
            times = self.endpoint.retries + 1
            raise self._error(f"{problem}, {times} times", "Check that the service runs and the address is right.")
        raise FailedRequestError(problem)

    def _body(self, request: ChatRequest, form: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": request.messages,
            self.endpoint.tokens_parameter: request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if form == "json_schema":
            schema = {"name": request.schema_name, "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": form, "json_schema": schema}
        elif form == "json_object":
            body["response_format"] = {"type": form}
        return body | dict(self.endpoint.parameters)

    def _refuse(self, status: int, problem: str) -> None:
        """Tell a failure that sending again does not mend.

        A key, address or model that is wrong is so for all; anything else is taken as the fault of the one request, or
        of the way in which JSON is asked for.
        """
        if status in _KEPT_SHUT or 300 <= status < 400:
            raise self._error(problem, _ACCESS)
        raise RefusedRequestError(problem)

    def _problem(self, response: httpx.Response) -> str:
        """What a failure says, without the key, which some services repeat."""
        status = response.status_code
        said = _message(response)
        if self._key:
            said = said.replace(self._key, "…")
        head = f"HTTP {status}" + (f", {_KEPT_SHUT[status]}" if status in _KEPT_SHUT else "")
        return f"{head}: {one_line(said, 300)}" if said.strip() else head

    def _error(self, problem: str, remedy: str) -> EndpointError:
        return EndpointError(f"{self.endpoint.url}: {problem}", field="endpoint", remedy=remedy)

    async def _back_off(self, attempt: int, asked_wait: float) -> None:
        """Wait longer each time, by chance a little more or less, so that many do not come back at once."""
        wait = min(self.endpoint.first_wait * 2.0**attempt, self.endpoint.longest_wait)
        if asked_wait:  # what one request is told holds for all
            self._paused_until = max(self._paused_until, time.monotonic() + asked_wait)
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))

    async def _pause(self) -> None:
        while (left := self._paused_until - time.monotonic()) > 0:
            await asyncio.sleep(left)


def _may_pass(status: int) -> bool:
    return status in _MAY_PASS or (status >= 500 and status != 501)


def _asked_wait(said: str | None) -> float:
    """The seconds of a ``Retry-After``: a number or a date (RFC 9110, section 10.2.3); 0 where it says nothing."""
    if said is None:
        return 0.0
    try:
        wait = float(said)
    except ValueError:
        try:
            until = parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        wait = (until - datetime.now(until.tzinfo or UTC)).total_seconds() if until.tzinfo else 0.0
    return min(max(wait, 0.0), _LONGEST_ASKED_WAIT) if wait == wait else 0.0


def _message(response: httpx.Response) -> str:
    """What the body of a failure says: the protocol's message, or the body as it is."""
    try:
        value = response.json()
    except ValueError:
        return str(response.text)
    error = value.get("error", value.get("detail", value)) if isinstance(value, Mapping) else value
    return str(error.get("message") or error) if isinstance(error, Mapping) else str(error)
