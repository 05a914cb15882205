"""Token ids of many texts without padding, and the store that keeps them so that no text is tokenised twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import atomic_folder, write_json
from cosmith.data.array_files import write_array, write_header_to
from cosmith.data.ragged import Int32, Int64, checked_numbers, offsets_of, take_rows
from cosmith.phrases import counted
from cosmith.progress import track

if TYPE_CHECKING:
    from cosmith.data.texts import TextTable

_FORMAT = 2
_CHUNK = 10_000  # texts given to the tokenizer at a time


@dataclass(frozen=True, eq=False)
class RaggedTokens:
    """Token ids of ``n`` texts, one after another.

    Attributes:
        values: int32 [total], the ids.
        offsets: int64 [n + 1], where each text's ids begin; text ``i`` has ``values[offsets[i]:offsets[i + 1]]``.
        full_lengths: int32 [n], tokens each text would have had without truncation (special tokens included).
        prompt_lengths: int32 [n], how many of each text's first tokens are a prompt that takes no part in the pooling;
            None: nowhere any.
    """

    values: Int32
    offsets: Int64
    full_lengths: Int32
    prompt_lengths: Int32 | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("values", np.int32), ("offsets", np.int64), ("full_lengths", np.int32)):
            given = getattr(self, name)
            if given.ndim != 1 or given.dtype != dtype:
                raise TypeError(f"{name} is a one-dimensional {np.dtype(dtype)} array, not {given.dtype} {given.shape}")
        if len(self.offsets) != len(self.full_lengths) + 1:
            raise ValueError(f"{len(self.full_lengths)} texts need as many offsets and one, not {len(self.offsets)}")
        if self.prompt_lengths is not None and (
            self.prompt_lengths.dtype != np.int32 or self.prompt_lengths.shape != self.full_lengths.shape
        ):
            raise TypeError("prompt_lengths is an int32 array with an entry for each text")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.values) or (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets begin with 0, never fall, and end with the number of values")

    def __len__(self) -> int:
        return len(self.full_lengths)

    def __repr__(self) -> str:
        return f"RaggedTokens({counted(len(self), 'text')}, {counted(len(self.values), 'token')})"

    @property
    def lengths(self) -> Int64:
        """int64 [n], the number of tokens of each text."""
        return np.diff(self.offsets)

    @property
    def truncated(self) -> npt.NDArray[np.bool_]:
        """bool [n], whether a text was cut."""
        cut: npt.NDArray[np.bool_] = self.full_lengths > self.lengths
        return cut

    def take(self, numbers: npt.ArrayLike) -> RaggedTokens:
        """The tokens of these texts [m], in that order; repeats are allowed.

        Raises:
            IndexError: When a number is not within ``[0, n)``.
        """
        wanted = checked_numbers(numbers, len(self), "text")
        values, offsets = take_rows(self.values, self.offsets, wanted)
        prompts = None if self.prompt_lengths is None else self.prompt_lengths[wanted]
        return RaggedTokens(values, offsets, self.full_lengths[wanted], prompts)

    @classmethod
    def concatenate(cls, parts: Sequence[RaggedTokens]) -> RaggedTokens:
        """The texts of all parts, one after another; no parts give no texts."""
        prompts = [
            np.zeros(len(part), np.int32) if part.prompt_lengths is None else part.prompt_lengths for part in parts
        ]
        return cls(
            np.concatenate([np.zeros(0, np.int32), *(part.values for part in parts)]),
            offsets_of(np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in parts)])),
            np.concatenate([np.zeros(0, np.int32), *(part.full_lengths for part in parts)]),
            np.concatenate(prompts) if any(part.prompt_lengths is not None for part in parts) else None,
        )


def tokens_of(
    texts: TextTable,
    numbers: npt.ArrayLike | None,
    tokenize: Callable[[list[str]], RaggedTokens],
    key: str,
    folder: Path | None,
) -> RaggedTokens:
    """Tokenise a table of texts, once for every key.

    Args:
        texts: The table, n texts.
        numbers: Which texts are needed; None for all. The others get no tokens (length 0, full length 0).
        tokenize: Gives the tokens of a list of texts.
        key: What the tokens depend on besides the texts: tokenizer, prompt, maximum length.
        folder: Where to keep them (``folder/tokens/KEY/``, memory-mapped when read); None keeps them in memory.
            Kept tokens are used again when key, texts and numbers are the same. Of several processes that ask at
            once, one tokenises and the others wait for it.

    Returns:
        Tokens in which row ``i`` belongs to text ``i`` of the table.

    Raises:
        StorageError: When the folder cannot be written.
        ValueError: When ``tokenize`` gives another number of texts than it was given.
    """
    wanted = np.arange(len(texts)) if numbers is None else np.unique(checked_numbers(numbers, len(texts), "text"))
    if folder is None:
        parts = list(_tokenised(texts, wanted, tokenize))
        return _spread(RaggedTokens.concatenate([part for _, part in parts]), wanted, len(texts))
    identity = {"format": _FORMAT, "key": key, "texts": len(texts), "table": texts.fingerprint()}
    name = key if re.fullmatch(r"[\w.-]{1,100}", key) and key.strip(".") else xxhash.xxh3_128_hexdigest(key.encode())
    if len(wanted) < len(texts):
        identity["numbers"] = xxhash.xxh3_128_hexdigest(wanted.tobytes())
        name += f"-{identity['numbers']}"
    place = Path(folder) / "tokens" / name
    kept = _kept(place, identity)
    if kept is None:
        with _one_process(place):
            kept = _kept(place, identity)
            if kept is None:
                _keep(place, identity, texts, wanted, tokenize)
                kept = _kept(place, identity)
    if kept is None:
        raise RuntimeError(f"{place}: the tokens just written cannot be read")
    return kept


def _tokenised(
    texts: TextTable, wanted: Int64, tokenize: Callable[[list[str]], RaggedTokens]
) -> Iterator[tuple[Int64, RaggedTokens]]:
    """The wanted texts, a chunk at a time: their numbers and tokens."""
    with track("Tokenising", len(wanted), "texts") as bar:
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            tokens = tokenize(texts.take(chunk))
            if len(tokens) != len(chunk):
                raise ValueError(f"tokenize was given {len(chunk)} texts and returned {len(tokens)}")
            yield chunk, tokens
            bar.advance(len(chunk))


def _spread(tokens: RaggedTokens, wanted: Int64, count: int) -> RaggedTokens:
    """Tokens of the wanted texts (ascending numbers) as rows of a table of ``count`` texts."""
    if len(wanted) == count:
        return tokens
    lengths, full_lengths = np.zeros(count, np.int64), np.zeros(count, np.int32)
    lengths[wanted], full_lengths[wanted] = tokens.lengths, tokens.full_lengths
    prompts = None
    if tokens.prompt_lengths is not None:
        prompts = np.zeros(count, np.int32)
        prompts[wanted] = tokens.prompt_lengths
    return RaggedTokens(tokens.values, offsets_of(lengths), full_lengths, prompts)


def _keep(
    place: Path,
    identity: dict[str, Any],
    texts: TextTable,
    wanted: Int64,
    tokenize: Callable[[list[str]], RaggedTokens],
) -> None:
    """Tokenise into a folder; the ids go to the disk chunk by chunk and are never all in memory."""
    lengths, full_lengths = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int32)
    prompts: Int32 | None = None
    with atomic_folder(place) as folder:
        with (folder / "values.npy").open("wb") as handle:
            write_header_to(handle, (0,), np.int32)
            total = 0
            for chunk, tokens in _tokenised(texts, wanted, tokenize):
                handle.write(np.ascontiguousarray(tokens.values).data)
                total += len(tokens.values)
                lengths[chunk], full_lengths[chunk] = tokens.lengths, tokens.full_lengths
                if tokens.prompt_lengths is not None:
                    prompts = np.zeros(len(texts), np.int32) if prompts is None else prompts
                    prompts[chunk] = tokens.prompt_lengths
            handle.seek(0)
            write_header_to(handle, (total,), np.int32)  # as long as the first one
        write_array(folder / "offsets.npy", (len(texts) + 1,), np.int64, [offsets_of(lengths)])
        write_array(folder / "full_lengths.npy", (len(texts),), np.int32, [full_lengths])
        if prompts is not None:
            write_array(folder / "prompt_lengths.npy", (len(texts),), np.int32, [prompts])
        write_json(folder / "tokens.json", identity | {"prompt_lengths": prompts is not None})


def _kept(place: Path, identity: dict[str, Any]) -> RaggedTokens | None:
    """The tokens kept in a folder; None where there are none, or others, or damaged ones."""
    try:
        said = json.loads((place / "tokens.json").read_text(encoding="utf-8"))
        names = ["values", "offsets", "full_lengths"] + ["prompt_lengths"] * said.pop("prompt_lengths")
        if said != identity:
            return None
        tokens = RaggedTokens(
            *(np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray) for name in names)
        )
    except (OSError, ValueError, TypeError, EOFError, LookupError, AttributeError):
        return None
    return tokens if len(tokens) == identity["texts"] else None


@contextmanager
def _one_process(place: Path) -> Iterator[None]:
    """Let one process at a time through for a place; where the system has no such locks, let all through."""
    try:
        import fcntl

        place.parent.mkdir(parents=True, exist_ok=True)
        handle = (place.parent / f".{place.name}.lock").open("w")
    except (ImportError, OSError):  # what cannot be written is explained where the tokens are
        yield
        return
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: every process tokenises for itself
            yield
            return
        yield
