"""An encoder that others run: a service that speaks OpenAI's embeddings protocol (vLLM, TEI, Ollama, a vendor)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.errors import InputError
from cosmith.models.batched import distinct_of
from cosmith.models.dimensions import checked_dim
from cosmith.models.lengths import UNLIMITED
from cosmith.models.prompts import fill_prompt
from cosmith.phrases import counted, one_line
from cosmith.progress import Bar, track
from cosmith.services import (
    EndpointError,
    FailedRequestError,
    RefusedRequestError,
    Service,
    ServiceClient,
    UnreadableAnswerError,
    require_askable,
    run_to_end,
)

Vectors = npt.NDArray[np.float32]

TEXTS_PER_REQUEST = 32
"""What the more modest of the servers take at once (text-embeddings-inference, as it comes)."""

_EXTRA, _ROUNDS_KEPT = "remote", 4


class RemoteEncoder:
    """A :class:`~cosmith.models.TextEncoder` that asks a service for its vectors, many requests at once.

    Which model answers, only the service knows: :meth:`fingerprint` is a hash over the address, the name of the model,
    the parameters and the prompts, so a service that puts another model behind the same name gets vectors from a cache
    that are not its own. How much of a text is read it knows alone, too: texts that it refuses are an error here, and
    what it cuts is not told.

    Args:
        service: Where it is, how often it is asked at once and again, and which environment variable holds its key.
            Its parameters are sent with every request, e.g. ``{"dimensions": 256}``.
        prompts: Name → text put before each text of that kind, e.g. ``{"query": "query: "}``; may contain ``{task}``.
        texts_per_request: The most texts of a request; one that is refused is halved until the text is found.
        name: What to call it in tables; by default as the service calls the model.

    Attributes:
        kept_at_once: A :class:`~cosmith.models.CachedEncoder` keeps its vectors after so many texts at most: what is
            paid for is not lost where the service goes away.

    Raises:
        InputError: When ``httpx`` is not installed, the key's variable is not set, or a setting is not possible.
    """

    def __init__(
        self,
        service: Service,
        *,
        prompts: Mapping[str, str] | None = None,
        texts_per_request: int = TEXTS_PER_REQUEST,
        name: str | None = None,
    ) -> None:
        service.require_free("model", "input", "encoding_format")
        require_askable(service, extra=_EXTRA)
        if texts_per_request < 1:
            raise InputError(f"is {texts_per_request}", field="texts_per_request", remedy="Give at least 1.")
        self.service, self.prompts, self.texts_per_request = service, dict(prompts or {}), texts_per_request
        self.name = name or service.model
        self.kept_at_once = texts_per_request * service.concurrency * _ROUNDS_KEPT
        self._dimension: int | None = None

    @property
    def dimension(self) -> int:
        """The length of a full vector; the service is asked for one vector where that is not known yet."""
        if self._dimension is None:
            run_to_end(lambda: self._asked(["dimension"], None))
        assert self._dimension is not None
        return self._dimension

    @property
    def max_length(self) -> int:
        """Not known here: the largest number that there is."""
        return UNLIMITED

    def fingerprint(self) -> str:
        """A hash over address, model, parameters and prompts; see above what it cannot tell."""
        service = self.service
        said = [service.url.rstrip("/"), service.model, dict(service.parameters), self.prompts]
        return xxhash.xxh3_128_hexdigest(json.dumps(said, sort_keys=True).encode())

    def fingerprint_parts(self) -> Mapping[str, str]:
        """The same part by part, see :class:`cosmith.models.EmbeddingFingerprint`."""
        service = self.service
        said = {
            "address": service.url.rstrip("/"),
            "service's model": service.model,
            "parameters": json.dumps(dict(service.parameters), sort_keys=True),
            "prompts": json.dumps(self.prompts),
        }
        return said | {"runtime": "a service"}

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> Vectors:
        """Encode texts as unit rows; equal texts are asked for once.

        Args and result: as of :meth:`cosmith.models.TextEncoder.encode`.

        Raises:
            InputError: When ``dim`` is larger than the model's, there is no such prompt, the service refuses a text, or
                a vector holds what is not finite.
            EndpointError: When the service cannot be reached, refuses the key, goes on failing, or answers otherwise
                than the protocol says.
        """
        before = fill_prompt(self.prompts, prompt, instruction)
        distinct, places = distinct_of(texts)
        if dim is not None:  # otherwise the service need not be asked for the whole length
            checked_dim(dim, self.dimension)
        if not distinct:
            return np.zeros((0, dim or self.dimension), dtype=np.float32)
        made = run_to_end(lambda: self._asked([before + _sendable(text) for text in distinct], show_progress))
        vectors = made[:, :dim]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        found: Vectors = vectors[places]
        return found

    async def _asked(self, texts: Sequence[str], show_progress: str | None) -> Vectors:
        """The vectors of texts, as the service gives them."""
        batches = [
            texts[start : start + self.texts_per_request] for start in range(0, len(texts), self.texts_per_request)
        ]
        found: list[Vectors] = [np.empty((0, 0), dtype=np.float32)] * len(batches)
        work = iter(enumerate(batches))
        async with ServiceClient(self.service, extra=_EXTRA) as client:

            async def worker(bar: Bar | None) -> None:
                for number, batch in work:
                    found[number] = await self._embedded(client, batch)
                    if bar is not None:
                        bar.advance(len(batch))

            async def all_workers(bar: Bar | None) -> None:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(self.service.concurrency, len(batches))):
                            group.create_task(worker(bar))
                except BaseExceptionGroup as failed:  # the first says why; the others were ended by it
                    raise failed.exceptions[0] from None

            if show_progress is None:
                await all_workers(None)
            else:
                with track(show_progress, len(texts), "texts") as shown:
                    await all_workers(shown)
        return np.concatenate(found)

    async def _embedded(self, client: ServiceClient, texts: Sequence[str]) -> Vectors:
        """The vectors of one batch ``[texts, D]``; a batch that is refused is asked for by halves."""
        try:
            vectors = await client.post("embeddings", {"input": list(texts)}, vectors_of)
        except FailedRequestError as error:
            raise self._error(f"{error}, {self.service.retries + 1} times", "Try again later.") from error
        except RefusedRequestError as error:
            if len(texts) > 1:
                half = len(texts) // 2
                first, second = await self._embedded(client, texts[:half]), await self._embedded(client, texts[half:])
                return np.concatenate([first, second])
            raise InputError(
                f"{self.name} refuses a text of {counted(len(texts[0]), 'character')}, {one_line(texts[0], 60)!r}:"
                f" {error}",
                field="texts", remedy="Where it is too long, cut it into chunks, or take a model that reads more.",
            ) from error  # fmt: skip
        self._check(vectors, texts)
        return vectors

    def _check(self, vectors: Vectors, texts: Sequence[str]) -> None:
        """Refuse an answer that does not fit the question, or the answers before it."""
        if len(vectors) != len(texts):
            raise self._error(f"gives {counted(len(vectors), 'vector')} for {counted(len(texts), 'text')}", _OTHER)
        width = vectors.shape[1]
        if not width or self._dimension not in (None, width):
            raise self._error(f"gives vectors of {width} numbers, and of {self._dimension or 'some'} before", _OTHER)
        self._dimension = width
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            text = one_line(texts[int(finite.argmin())], 60)
            raise InputError(
                f"{self.name} gives a vector that is not finite for {text!r}", field="texts",
                remedy="Ask who runs the service: its precision, or its weights, are at fault.",
            )  # fmt: skip

    def _error(self, problem: str, remedy: str) -> EndpointError:
        return EndpointError(f"{self.service.url}: {problem}", field="endpoint", remedy=remedy)


_OTHER = "Check that the model is one for embeddings, and that the service speaks OpenAI's protocol."


def vectors_of(value: Any) -> Vectors:
    """The vectors of an answer of the protocol, in the order of what was asked.

    Args:
        value: The parsed JSON: ``{"data": [{"index": 0, "embedding": [0.1, …]}, …]}``, in any order. A service that
            numbers none of its vectors is taken to keep the order.

    Raises:
        UnreadableAnswerError: When it is of another shape.
    """
    try:
        entries = list(value["data"])
        numbers = [entry.get("index") for entry in entries]
        if any(number is not None for number in numbers):
            if sorted(numbers) != list(range(len(entries))):
                raise UnreadableAnswerError("the vectors are not numbered from 0 on")
            entries.sort(key=lambda entry: int(entry["index"]))
        with np.errstate(over="ignore"):
            vectors = np.array([entry["embedding"] for entry in entries], dtype=np.float64).astype(np.float32)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        if isinstance(error, UnreadableAnswerError):
            raise
        raise UnreadableAnswerError("it has no list of vectors of numbers, all equally long") from error
    if vectors.ndim != 2:
        raise UnreadableAnswerError("it has no list of vectors of numbers, all equally long")
    return vectors


def _sendable(text: str) -> str:
    """The text, where it can be written as JSON.

    Raises:
        InputError: When it is none, or holds half a surrogate pair.
    """
    if isinstance(text, str) and not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    raise InputError(f"{str(text)[:60]!r} cannot be sent", field="texts", remedy="Mend it, or leave it out.")
