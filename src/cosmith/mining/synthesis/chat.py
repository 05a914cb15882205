"""What is asked of a language model, and what it answers: the chat completions of OpenAI's protocol."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosmith.services import UnreadableAnswerError


@dataclass(frozen=True)
class ChatRequest:
    """One question to a language model.

    Attributes:
        prompt: The user's message.
        system: The message before it; empty for none.
        schema_name: What its answer is called.
        schema: JSON schema of the answer.
        max_tokens: The most tokens of the answer.
        temperature: None leaves it to the service.
        attempt: Which time this is asked, from 0; the same question again may be answered otherwise.
    """

    prompt: str
    system: str
    schema_name: str
    schema: Mapping[str, Any] = field(repr=False)
    max_tokens: int = 512
    temperature: float | None = None
    attempt: int = 0

    @property
    def messages(self) -> list[dict[str, str]]:
        """As the protocol has them."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.prompt}]

    def key(self, model: str, parameters: Mapping[str, Any]) -> str:
        """A hash of all that the answer depends on: SHA-256, hexadecimal.

        How the service is told the schema is not part of it, nor where the service is: what is wanted is the same.
        """
        said = [model, self.messages, self.schema, self.max_tokens, self.temperature, self.attempt, dict(parameters)]
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def estimated_tokens(self) -> int:
        """About how many tokens the messages have, with the few that mark who speaks."""
        return sum(estimated_tokens(message["content"]) + 4 for message in self.messages) + 3


@dataclass(frozen=True)
class Completion:
    """An answer.

    Attributes:
        text: What was said; may be empty.
        finish: Why it ended: ``stop``, ``length`` (cut off at the limit of tokens), ``content_filter``, or what else
            the service says.
        refusal: What a service says that refuses; empty where it does not.
        input_tokens, output_tokens: What it took.
        estimated: Whether they are estimates, since the service did not say.
        cached: Whether it was there already, and nobody was asked.
    """

    text: str
    finish: str
    refusal: str
    input_tokens: int
    output_tokens: int
    estimated: bool = False
    cached: bool = False


def completion_of(value: Any, request: ChatRequest) -> Completion:
    """Read the body of a response.

    Args:
        value: The parsed JSON.
        request: What was asked; tokens are estimated by it where the service does not count them.

    Raises:
        UnreadableAnswerError: When the value has no first choice with a message.
    """
    try:
        choice = value["choices"][0]
        message = choice["message"]
        text = _content(message.get("content"))
        refusal = str(message.get("refusal") or "")
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise UnreadableAnswerError("the response has no message") from error
    usage = value.get("usage")
    counted = [_count(usage.get(name)) if isinstance(usage, dict) else None
               for name in ("prompt_tokens", "completion_tokens")]  # fmt: skip
    return Completion(
        text=text,
        finish=str(choice.get("finish_reason") or ""),
        refusal=refusal,
        input_tokens=request.estimated_tokens() if counted[0] is None else counted[0],
        output_tokens=estimated_tokens(text) if counted[1] is None else counted[1],
        estimated=None in counted,
    )


def _content(content: Any) -> str:
    """The text of a message; some services give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: a quarter of its bytes in UTF-8.

    A rule of thumb: four letters of English a token, two of Cyrillic, four thirds of a Chinese character.
    """
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 4)
