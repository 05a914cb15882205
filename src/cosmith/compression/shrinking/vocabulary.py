"""Fewer tokens: a model without those that no text of yours uses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from cosmith.compression.shrinking.measuring import held_out
from cosmith.compression.shrinking.tokenizer_rules import needed_tokens, pruned_rules
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.adapters import has_adapter
from cosmith.models.lengths import UNLIMITED
from cosmith.models.rebuilding import with_backbone
from cosmith.models.static import StaticEmbedding
from cosmith.models.tokenization import TextTokenizer
from cosmith.phrases import one_line

_AT_ONCE = 2_000  # texts
_FIRST = 8  # numbers up to this one stay what they are where the padding token is among them
_WORDS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class PrunedVocabulary:
    """What became of a vocabulary.

    Attributes:
        texts: By how many texts it was pruned.
        before, after: Tokens.
        held_out: How many texts were held out for the following.
        differing: How many of these are cut into other tokens with the vocabulary that the other texts alone need: what
            to expect of texts to come.
        longer: Tokens of the held-out texts with that vocabulary, by those with the whole one.
    """

    texts: int
    before: int
    after: int
    held_out: int
    differing: int
    longer: float

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


def prune_vocabulary(
    encoder: Encoder, texts: Sequence[str], *, seed: int = 0, name: str | None = None
) -> tuple[Encoder, PrunedVocabulary]:
    """A new encoder with the tokens that texts need, in its tokenizer and in the table of its embeddings.

    These texts, bare and behind each of the model's prompts, are cut into the same tokens as before, so their vectors
    are the same; that is checked. Others are cut as well as the tokens that are left allow: single characters and bytes
    are always among them.

    Args:
        encoder: A transformer or a static model; it is left as it is.
        texts: All kinds of texts that the model will read, above all in each of the languages.
        seed: Chooses a twentieth of the texts, at most a thousand, by which is told what texts to come may expect.
        name: What to call it; None: the encoder's name and how many tokens are left.

    Raises:
        InputError: When there is no text, the tokenizer is of a kind that cannot be pruned, it does not cut as before,
            or the model has an unmerged adapter.
    """
    backbone: Any = encoder.module["backbone"]
    if has_adapter(backbone):
        raise InputError(f"{encoder.name} has an adapter that is not merged", field="model",
                         remedy="Merge it first: train with merge_adapter=True.")  # fmt: skip
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        raise InputError("are none", field="texts", remedy="Give texts like those that the model will read.")
    rules = json.loads(encoder.tokenizer.tokenizer.backend_tokenizer.to_str())
    learnt, held = held_out(distinct, seed)
    used = _used(encoder, learnt)
    narrow = _pruned(encoder.tokenizer, rules, needed_tokens(rules, used | _fixed(encoder)))
    before, after = encoder.tokenizer(held, UNLIMITED), narrow.tokenizer(held, UNLIMITED)
    differing = sum(not _same(before, after, number, narrow.kept) for number in range(len(held)))
    longer = len(after.values) / max(len(before.values), 1)
    kept = needed_tokens(rules, used | _used(encoder, held) | _fixed(encoder))
    words = _pruned(encoder.tokenizer, rules, kept)
    for part in _parts(encoder, distinct):
        old, new = encoder.tokenizer(part, UNLIMITED), words.tokenizer(part, UNLIMITED)
        wrong = next((number for number in range(len(part)) if not _same(old, new, number, words.kept)), None)
        if wrong is not None:
            raise InputError(
                f"with fewer tokens the tokenizer would cut {one_line(part[wrong], 60)!r} otherwise", field="model",
                remedy="Its rules are not known here; keep its vocabulary.",
            )  # fmt: skip
    made = with_backbone(
        encoder, _with_rows(backbone, kept), tokenizer=words.tokenizer,
        name=name or f"{encoder.name}-{len(kept)}-tokens",
    )  # fmt: skip
    made.module.eval()
    told = PrunedVocabulary(len(distinct), len(encoder.tokenizer.tokenizer), len(kept), len(held), differing, longer)
    return made, told


@dataclass(frozen=True)
class _Words:
    """A tokenizer with fewer tokens, and which of the old ones they are, ascending."""

    tokenizer: TextTokenizer
    kept: np.ndarray


def _prefixes(encoder: Encoder) -> list[str]:
    """What may stand before a text; an instruction stands where ``{task}`` does, and is not known here."""
    return list(dict.fromkeys(["", *(prompt.replace("{task}", "") for prompt in encoder.prompts.values())]))


def _parts(encoder: Encoder, texts: Sequence[str]) -> Iterator[list[str]]:
    for before in _prefixes(encoder):
        for start in range(0, len(texts), _AT_ONCE):
            yield [before + text for text in texts[start : start + _AT_ONCE]]


def _used(encoder: Encoder, texts: Sequence[str]) -> set[int]:
    """The numbers of all tokens of texts, whole, with what stands around and before them."""
    found: set[int] = set()
    for part in _parts(encoder, texts):
        found |= set(np.unique(encoder.tokenizer(part, UNLIMITED).values).tolist())
    return found


def _fixed(encoder: Encoder) -> set[int]:
    """Tokens that stay whatever texts use: what the backbone's configuration names, and all up to a small padding
    token, from which RoBERTa counts its positions."""
    config = encoder.module["backbone"].config
    numbers = {number for value in _named(config).values() for number in value}
    padding = getattr(config, "pad_token_id", None)
    return numbers | (set(range(padding + 1)) if padding is not None and padding < _FIRST else set())


def _named(config: Any) -> dict[str, list[int]]:
    """The tokens that a configuration names, by its keys, each as a list, as far as the tokenizer may know them."""
    found = {}
    for key, value in config.to_dict().items():
        if key.endswith("_token_id") and value is not None:
            numbers = value if isinstance(value, list) else [value]
            found[key] = [number for number in numbers if 0 <= number < config.vocab_size]
    return found


def _same(old: RaggedTokens, new: RaggedTokens, number: int, kept: np.ndarray) -> bool:
    """Whether a text's new tokens stand for its old ones."""
    before = old.values[old.offsets[number] : old.offsets[number + 1]]
    after = new.values[new.offsets[number] : new.offsets[number + 1]]
    return len(before) == len(after) and bool((kept[after] == before).all())


def _pruned(words: TextTokenizer, rules: dict[str, Any], kept: Sequence[int]) -> _Words:
    """The tokenizer with fewer tokens, as transformers loads it from a folder.

    Raises:
        InputError: When transformers makes another one of it.
    """
    import transformers

    given = words.tokenizer
    wanted = pruned_rules(rules, kept)
    with TemporaryDirectory() as folder:
        given.save_pretrained(folder)
        for file in Path(folder).iterdir():
            if file.name not in _WORDS:
                file.unlink()  # the vocabulary once more, in an older form
        (Path(folder) / "tokenizer.json").write_text(json.dumps(wanted, ensure_ascii=False), encoding="utf-8")
        path = Path(folder) / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config.pop("added_tokens_decoder", None)  # names them by their old numbers; tokenizer.json has them, too
        path.write_text(json.dumps(config), encoding="utf-8")
        made: Any = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    numbers = np.asarray(kept)
    names = given.convert_ids_to_tokens(list(kept))
    if len(made) != len(kept) or made.convert_ids_to_tokens(list(range(len(kept)))) != names:
        raise InputError(
            f"transformers does not number the tokens of a smaller {type(given).__name__} as they stand", field="model",
            remedy="Keep its vocabulary.",
        )  # fmt: skip
    tokenizer = TextTokenizer(made, do_lower_case=words.do_lower_case, special_tokens=words.special_tokens)
    return _Words(tokenizer, numbers)


def _with_rows(backbone: Any, kept: Sequence[int]) -> Any:
    """A copy of a backbone whose embeddings are those of the kept tokens."""
    rows = torch.tensor(kept)
    if isinstance(backbone, StaticEmbedding):
        return StaticEmbedding(backbone.embedding.weight.detach()[rows.to(backbone.embedding.weight.device)])
    table = backbone.get_input_embeddings()
    for part, module in backbone.named_modules():
        like = isinstance(module, torch.nn.Embedding) and module.num_embeddings == table.num_embeddings
        if like and module is not table and "position" not in part:
            raise InputError(f"the model has a second table of its tokens, {part}", field="model",
                             remedy="Keep its vocabulary.")  # fmt: skip
    made = copy.deepcopy(backbone)
    embeddings = made.get_input_embeddings()
    with torch.no_grad():
        embeddings.weight = torch.nn.Parameter(embeddings.weight[rows.to(embeddings.weight.device)].clone())
    embeddings.num_embeddings = len(kept)
    new = {number: place for place, number in enumerate(kept)}
    if embeddings.padding_idx is not None:
        embeddings.padding_idx = new.get(embeddings.padding_idx)
    for key, numbers in _named(backbone.config).items():
        found = [new[number] for number in numbers if number in new]
        listed = isinstance(getattr(backbone.config, key), list)
        setattr(made.config, key, found if listed else found[0] if found else None)
    made.config.vocab_size = len(kept)
    return made
