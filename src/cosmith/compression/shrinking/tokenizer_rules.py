"""The JSON of a `tokenizers` tokenizer with fewer tokens: what its rules need beside those that texts use."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from cosmith.errors import InputError

Rules = Mapping[str, Any]
"""A tokenizer as ``Tokenizer.to_str`` writes it."""

_KINDS = ("WordPiece", "BPE", "Unigram", "WordLevel")


def needed_tokens(rules: Rules, used: Iterable[int]) -> list[int]:
    """The numbers of the tokens that must stay for texts to be cut as before, and other texts to be cut at all.

    Beside those that are used: special and added tokens, single characters and bytes, and

    * of BPE the parts that a token may be merged from, their parts and so on. Merges that were never applied may go:
      of those that stay the first in rank is still the one that was taken;
    * of Unigram the least likely token, since the price of an unknown character is reckoned from it.

    WordPiece takes the longest token that fits, which is still there.

    Args:
        rules: The tokenizer.
        used: Numbers of the tokens of texts; others than the tokenizer's are passed over.

    Returns:
        Ascending numbers.

    Raises:
        InputError: When the tokenizer is of another kind.
    """
    vocabulary = vocabulary_of(rules)
    model, added = rules["model"], {int(each["id"]) for each in rules["added_tokens"]}
    names = {number: token for token, number in vocabulary.items()}
    needed = {int(number) for number in used} | added
    needed |= {number for token, number in vocabulary.items() if _is_basic(token, model)}
    unknown = model.get("unk_token")
    if unknown in vocabulary:
        needed.add(vocabulary[unknown])
    if model["type"] == "Unigram":
        scores = model["vocab"]
        needed |= {min(range(len(scores)), key=lambda number: scores[number][1])}
        needed |= {model["unk_id"]} if model.get("unk_id") is not None else set()
    if model["type"] == "BPE":
        parts: dict[str, set[str]] = {}
        for left, right in _merges(model):
            parts.setdefault(left + right, set()).update((left, right))
        todo = [names[number] for number in needed if number in names]
        while todo:
            for part in parts.pop(todo.pop(), ()):
                needed.add(vocabulary[part])
                todo.append(part)
    return sorted(needed & (names.keys() | added))


def pruned_rules(rules: Rules, kept: Iterable[int]) -> dict[str, Any]:
    """The tokenizer with these tokens only, numbered anew in the order in which they stood.

    Args:
        rules: The tokenizer.
        kept: Ascending numbers, as :func:`needed_tokens` gives them.
    """
    new = {number: place for place, number in enumerate(kept)}
    made: dict[str, Any] = copy.deepcopy(dict(rules))
    model = made["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [entry for number, entry in enumerate(model["vocab"]) if number in new]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        model["vocab"] = {token: new[number] for token, number in model["vocab"].items() if number in new}
    if model["type"] == "BPE":
        there = model["vocab"]
        model["merges"] = [
            list(pair) for pair in _merges(model) if {*pair, "".join(pair)} <= there.keys()
        ]  # fmt: skip
    for each in made["added_tokens"]:
        each["id"] = new[each["id"]]
    if made.get("padding"):
        made["padding"]["pad_id"] = new[made["padding"]["pad_id"]]
    if made.get("post_processor"):
        _renumber(made["post_processor"], new)
    return made


def vocabulary_of(rules: Rules) -> dict[str, int]:
    """Token → number, without added tokens that the model does not know.

    Raises:
        InputError: When the tokenizer is of a kind that cannot be pruned.
    """
    model = rules["model"]
    kind = model.get("type")
    if kind not in _KINDS:
        raise InputError(f"the tokenizer is of the kind {kind}, of which no tokens can be left out", field="model",
                         remedy=f"Known: {', '.join(_KINDS)}.")  # fmt: skip
    if kind == "BPE" and model.get("continuing_subword_prefix"):
        raise InputError("the tokenizer is a BPE with marks inside of words, of which no tokens can be left out",
                         field="model", remedy="Keep its vocabulary.")  # fmt: skip
    if kind == "Unigram":
        return {token: number for number, (token, _) in enumerate(model["vocab"])}
    return dict(model["vocab"])


def _is_basic(token: str, model: Rules) -> bool:
    """Whether a token is a single character, or stands for a byte."""
    bare = token
    for mark in (model.get("continuing_subword_prefix"), "▁"):
        bare = bare.removeprefix(mark) if mark and len(bare) > len(mark) else bare
    suffix = model.get("end_of_word_suffix")
    bare = bare.removesuffix(suffix) if suffix and len(bare) > len(suffix) else bare
    return len(bare) == 1 or (len(token) == 6 and token.startswith("<0x") and token.endswith(">"))


def _merges(model: Rules) -> Iterable[tuple[str, str]]:
    """The pairs of a BPE, best first; older files write them with a blank between."""
    for pair in model["merges"]:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        yield left, right


def _renumber(rule: dict[str, Any], new: Mapping[int, int]) -> None:
    """Number the special tokens anew that a tokenizer puts around texts, in place."""
    for step in rule.get("processors", []):
        _renumber(step, new)
    for end in ("sep", "cls"):
        if isinstance(rule.get(end), list):
            rule[end] = [rule[end][0], new[rule[end][1]]]
    for special in (rule.get("special_tokens") or {}).values():
        special["ids"] = [new[number] for number in special["ids"]]
