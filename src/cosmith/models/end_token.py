"""A token behind every text, in which a decoder gathers what it has read: the ground that last-token pooling stands on.

Language models come with tokenizers that append nothing. Qwen3-Embedding (arXiv:2506.05176, Section 2) and E5-Mistral
(arXiv:2401.00368, Section 3.1) append the end-of-sequence token and take its state for the text's vector. The rule is
put into the tokenizer itself, so that it is saved with the model and every library that loads it does the same; a text
that is too long loses what stands before that token, never the token.
"""

from __future__ import annotations

import copy
import json
from tempfile import TemporaryDirectory
from typing import Any

from cosmith.errors import InputError
from cosmith.models.encoder import Encoder
from cosmith.models.tokenization import TextTokenizer

AUTO = "auto"


def append_end_token(encoder: Encoder, token: str = AUTO) -> Encoder:
    """Let an encoder's tokenizer append a token to every text; one that does so already is left as it is.

    A tokenizer that has no padding token is given this one, so that other libraries can fill up their batches.

    Args:
        encoder: The encoder, which is changed.
        token: A special token of its tokenizer, e.g. ``"<|endoftext|>"`` (Qwen3-Embedding's); ``"auto"``: the
            tokenizer's end-of-sequence token.

    Returns:
        The encoder itself.

    Raises:
        InputError: When there is no such token, or the tokenizer appends another one already.
    """
    words = encoder.tokenizer
    chosen = _chosen(words, token)
    closing = words.closing
    if closing and closing[-1] == chosen:
        return encoder
    if closing:
        there = words.tokenizer.convert_ids_to_tokens(closing[-1])
        raise InputError(
            f"the tokenizer appends {there!r} to every text already", field="end_token",
            remedy=f"Take {there!r}, or leave it out.",
        )  # fmt: skip
    encoder.tokenizer = TextTokenizer(
        _appending(words.tokenizer, chosen), do_lower_case=words.do_lower_case, special_tokens=words.special_tokens
    )
    return encoder


def _chosen(words: TextTokenizer, token: str) -> int:
    """The number of the token."""
    if not words.special_tokens:
        raise InputError("a static model reads no special tokens", field="end_token", remedy="Leave it out.")
    tokenizer = words.tokenizer
    name = tokenizer.eos_token if token == AUTO else token
    if name is None:
        raise InputError("the tokenizer has no end-of-sequence token", field="end_token", remedy="Name a token.")
    if name not in tokenizer.all_special_tokens:
        known = ", ".join(map(repr, tokenizer.all_special_tokens)) or "none"
        raise InputError(f"{name!r} is no special token of the tokenizer", field="end_token",
                         remedy=f"It has {known}.")  # fmt: skip
    return int(tokenizer.convert_tokens_to_ids(name))


def _appending(tokenizer: Any, number: int) -> Any:
    """A copy of a transformers tokenizer with the token behind every text, which it still has when saved and loaded."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    changed = copy.deepcopy(tokenizer)
    backend = changed.backend_tokenizer
    said = json.loads(backend.to_str())
    said["post_processor"] = _with_token(said["post_processor"], changed.convert_ids_to_tokens(number), number)
    backend.post_processor = Tokenizer.from_str(json.dumps(said)).post_processor
    if changed.pad_token is None:  # else sentence-transformers could not fill up a batch; what it fills in is masked
        changed.pad_token = changed.convert_ids_to_tokens(number)
    with TemporaryDirectory() as folder:
        changed.save_pretrained(folder)
        loaded: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if json.loads(loaded.backend_tokenizer.to_str())["post_processor"] != said["post_processor"]:
        raise InputError(
            f"transformers does not keep an appended token in a {type(tokenizer).__name__}", field="end_token",
            remedy="Save the tokenizer as a PreTrainedTokenizerFast first.",
        )  # fmt: skip
    return changed


def _with_token(rule: dict[str, Any] | None, token: str, number: int) -> dict[str, Any]:
    """What a tokenizer does to a text's tokens in the end, as its JSON says it, and the token behind them.

    There may be one template only: a second one would treat what the first has put there as a text of its own.
    """
    if rule is None:
        return _template(token, number)
    if rule["type"] == "TemplateProcessing":
        end = [{"SpecialToken": {"id": token, "type_id": 0}}]
        named = {token: {"id": token, "ids": [number], "tokens": [token]}}
        return rule | {"single": rule["single"] + end, "special_tokens": rule["special_tokens"] | named}
    if rule["type"] != "Sequence":
        return {"type": "Sequence", "processors": [rule, _template(token, number)]}
    steps = rule["processors"]
    place = next((place for place, step in enumerate(steps) if step["type"] == "TemplateProcessing"), len(steps))
    step = _with_token(steps[place] if place < len(steps) else None, token, number)
    return rule | {"processors": [*steps[:place], step, *steps[place + 1 :]]}


def _template(token: str, number: int) -> dict[str, Any]:
    """The rule that does nothing else; pairs of texts in one sequence, which no encoder reads, are left as they are."""
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    return {
        "type": "TemplateProcessing",
        "single": [first, {"SpecialToken": {"id": token, "type_id": 0}}],
        "pair": [first, second],
        "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}},
    }
