"""Where a model answers, how often it is asked at once and again, and which key opens it."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from cosmith.errors import CosmithError, InputError


class EndpointError(CosmithError):
    """An endpoint that cannot be reached, refuses what it is asked, or goes on failing."""


@dataclass(frozen=True)
class Service:
    """A model behind an OpenAI-compatible service: vLLM, Ollama, a vendor.

    The key is read from the environment when the service is asked, and held nowhere else: a ``Service`` may be printed,
    logged and written down.

    Attributes:
        url: Its address up to and with the version, e.g. ``http://localhost:11434/v1``.
        model: What the service calls the model.
        key_variable: The environment variable that holds the key; None where the service needs none.
        allow_plain_http: Send the key unencrypted to another machine.
        concurrency: The most requests that are under way at once.
        timeout: Seconds to wait for an answer.
        retries: How often a request is sent again after a failure that may pass: no connection, no answer in time,
            HTTP 408, 425, 429 and 5xx.
        first_wait: Seconds before the first time that it is sent again; they double each time.
        longest_wait: The most seconds that they grow to. What the service itself asks for (``Retry-After``) is kept to
            if it is longer, up to an hour.
        parameters: What to send besides, as the service knows it, e.g. ``{"top_p": 0.9}``.

    Raises:
        InputError: When a value is not possible, the address holds a password, or the key would go unencrypted to
            another machine.
    """

    url: str
    model: str
    key_variable: str | None = None
    allow_plain_http: bool = False
    concurrency: int = 8
    timeout: float = 120.0
    retries: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as error:
            raise InputError(f"{self.url!r} is no address ({error})", field="endpoint", remedy=_EXAMPLE) from error
        if "@" in parts.netloc or parts.query or parts.fragment:  # such an address may not be written down or shown
            raise InputError(
                "the address holds more than scheme, host, port and path",
                field="endpoint",
                remedy="Put the key into an environment variable and name that (key_variable).",
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{self.url!r} is no address of a service", field="endpoint", remedy=_EXAMPLE)
        if self.key_variable is not None and not self.key_variable.replace("_", "").isalnum():
            raise InputError(
                "is not the name of an environment variable",
                field="key_variable",
                remedy="Give the name of the variable that holds the key, e.g. OPENAI_API_KEY, never the key.",
            )
        if self.key_variable and parts.scheme == "http" and not (self.is_local or self.allow_plain_http):
            raise InputError(
                f"the key would go unencrypted to {parts.hostname}",
                field="endpoint",
                remedy="Take an https address; in a network that you trust, allow it (allow_plain_http).",
            )
        if not self.model.strip():
            raise InputError("the model has no name", field="model", remedy="Say what the service calls it.")
        for name, least in (("concurrency", 1), ("retries", 0)):
            if getattr(self, name) < least:
                raise InputError(f"is {getattr(self, name)}", field=name, remedy=f"Give at least {least}.")
        for name in ("timeout", "first_wait", "longest_wait"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"is {value}", field=name, remedy="Give a number of seconds above 0.")

    @classmethod
    def at(cls, reference: str, *, key_variable: str | None = None) -> Self:
        """The service and model of an address like ``https://api.example.com/v1#MODEL``.

        Args:
            reference: What stands before the first ``#`` is the address, what stands behind it the model's name.
            key_variable: The environment variable that holds the key; None where the service needs none.

        Raises:
            InputError: When there is no model behind it, or the address is none.
        """
        address, _, model = reference.partition("#")
        if not model.strip():
            raise InputError(f"{address} names no model", field="model",
                             remedy="Write address and model as https://HOST/v1#MODEL.")  # fmt: skip
        return cls(address, model, key_variable)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def require_free(self, *taken: str) -> None:
        """Refuse parameters that Cosmith sets itself.

        Raises:
            InputError: When one of ``taken`` is among them.
        """
        if both := sorted(set(taken) & set(self.parameters)):
            raise InputError(f"{both[0]!r} is not free to be set", field="parameters", remedy="Leave it out.")

    def address(self, path: str) -> str:
        """Where requests of one kind go, e.g. ``chat/completions``."""
        return f"{self.url.rstrip('/')}/{path}"

    def key(self) -> str | None:
        """The key; None where none is needed.

        Raises:
            InputError: When the variable is not set, or holds what no header can.
        """
        if self.key_variable is None:
            return None
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise InputError(
                f"the environment variable {self.key_variable} is not set",
                field="key_variable",
                remedy=f"Set it: export {self.key_variable}=…",
            )
        if not (key.isascii() and key.isprintable()):
            raise InputError(
                f"the environment variable {self.key_variable} holds characters that no key has",
                field="key_variable",
                remedy="Set it anew.",
            )
        return key


def is_address(reference: str) -> bool:
    """Whether what stands in the place of a model is the address of a service."""
    return reference.startswith(("http://", "https://"))


_EXAMPLE = "Give one as http://localhost:11434/v1."
