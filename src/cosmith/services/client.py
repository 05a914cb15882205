"""Asking a service over HTTP: again where a failure may pass, and no sooner than it wants to be asked."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cosmith.errors import InputError
from cosmith.phrases import one_line
from cosmith.services.service import EndpointError, Service

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_LONGEST_ASKED_WAIT = 3600.0
_MAY_PASS = (408, 425, 429)
_KEPT_SHUT = {
    401: "the key is missing or not accepted",
    402: "the account has nothing left to pay with",
    403: "the key does not open this",
    404: "there is no such address or model",
    405: "that address takes no such requests",
}
_ACCESS = "Check the endpoint, the name of the model, and the variable of the key (key_variable)."


class RefusedRequestError(Exception):
    """A request that the service will not answer as it is, though it answers others."""


class FailedRequestError(Exception):
    """A request that failed as often as it may be sent."""


class UnreadableAnswerError(ValueError):
    """What came is no answer of the protocol."""


def require_askable(service: Service, *, extra: str) -> str | None:
    """Refuse a service that cannot be asked from here; gives its key.

    Args:
        service: Where it is.
        extra: The extra of Cosmith that brings what is needed.

    Raises:
        InputError: When ``httpx`` is not installed, or the key's variable is not set.
    """
    if importlib.util.find_spec("httpx") is None:
        raise InputError("needs the package httpx", field=extra, remedy=f'Run: pip install "cosmith[{extra}]"')
    return service.key()


def run_to_end(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, also where a loop of events runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


class ServiceClient:
    """Sends requests to one service, many at once; used as an asynchronous context.

    Args:
        service: Where it is.
        extra: As for :func:`require_askable`.

    Raises:
        InputError: When ``httpx`` is not installed, or the key's variable is not set.
    """

    def __init__(self, service: Service, *, extra: str) -> None:
        key = require_askable(service, extra=extra)
        import httpx

        self.service = service
        self._key = key
        self._answered = False
        self._paused_until = 0.0
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(service.timeout, connect=min(10.0, service.timeout)),
            limits=httpx.Limits(max_connections=service.concurrency, max_keepalive_connections=service.concurrency),
            trust_env=not service.is_local,  # a proxy of the environment does not know this machine's services
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def post(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T]) -> T:
        """Send a request, and again where it fails in a way that may pass.

        Args:
            path: Which kind of request, as for :meth:`Service.address`.
            body: What to send, as JSON, besides the name of the model and the service's parameters.
            read: Makes an answer of the parsed JSON; raises :class:`UnreadableAnswerError` where it is none.

        Raises:
            RefusedRequestError: When the service will not answer this one.
            FailedRequestError: When it failed as often as it may be sent.
            EndpointError: When the service answers nobody: out of reach, or key, address or model are wrong.
        """
        import httpx

        service = self.service
        whole = {"model": service.model, **body, **service.parameters}
        problem = ""
        for attempt in range(service.retries + 1):
            asked_wait = 0.0
            await self._pause()
            try:
                async with asyncio.timeout(service.timeout):  # httpx's own is for each part of a response
                    response = await self._http.post(service.address(path), json=whole)
                if response.status_code == httpx.codes.OK:
                    answer = read(response.json())
                    self._answered = True
                    return answer
                problem = self._problem(response)
                if not _may_pass(response.status_code):
                    self._refuse(response.status_code, problem)
                asked_wait = _asked_wait(response.headers.get("Retry-After"))
            except (UnreadableAnswerError, json.JSONDecodeError, UnicodeDecodeError) as error:
                problem = f"what it answers is not the protocol's ({error})"
            except (httpx.TimeoutException, TimeoutError):
                problem = f"no answer within {service.timeout:g} seconds"
            except httpx.TransportError as error:
                problem = f"the connection failed ({str(error) or type(error).__name__})"
            except httpx.DecodingError as error:
                problem = f"what it answers cannot be unpacked ({error})"
            if attempt < service.retries:
                await self._back_off(attempt, asked_wait)
        if not self._answered:
            times = service.retries + 1
            raise self._error(f"{problem}, {times} times", "Check that the service runs and the address is right.")
        raise FailedRequestError(problem)

    def _refuse(self, status: int, problem: str) -> None:
        """Tell a failure that sending again does not mend.

        A key, address or model that is wrong is so for all; anything else is taken as the fault of the one request.
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
        return EndpointError(f"{self.service.url}: {problem}", field="endpoint", remedy=remedy)

    async def _back_off(self, attempt: int, asked_wait: float) -> None:
        """Wait longer each time, by chance a little more or less, so that many do not come back at once."""
        wait = min(self.service.first_wait * 2.0**attempt, self.service.longest_wait)
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
