"""Where a language model answers: a service for chats."""

from __future__ import annotations

from dataclasses import dataclass

from cosmith.errors import InputError
from cosmith.services import Service
from cosmith.services import require_askable as require_service

_OWN = ("model", "messages", "response_format", "stream", "n")


@dataclass(frozen=True)
class Endpoint(Service):
    """A language model behind an OpenAI-compatible service; what a :class:`~cosmith.services.Service` has, and more.

    Attributes:
        tokens_parameter: What the service calls the limit of an answer's tokens; newer models of OpenAI say
            ``max_completion_tokens``.

    Raises:
        InputError: As of a service; when the parameters hold what Cosmith sets itself.
    """

    tokens_parameter: str = "max_tokens"

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("the model has no name", field="llm", remedy="Say what the service calls it.")
        super().__post_init__()
        self.require_free(*_OWN, self.tokens_parameter)


def require_askable(endpoint: Endpoint) -> str | None:
    """Refuse an endpoint that cannot be asked from here; gives its key.

    Raises:
        InputError: When ``httpx`` is not installed, or the key's variable is not set.
    """
    return require_service(endpoint, extra="llm")
