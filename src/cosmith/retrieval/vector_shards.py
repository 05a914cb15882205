"""Vectors of any number of texts as a folder of shards: texts in as they come, shards out, gone on with after a kill.

_manifest.json          what made the vectors and how, part by part; at the end how many texts there are
_shards/000000.json     of each shard: how many texts, a hash of their ids and texts, which of them were cut
000000.parquet          columns _id, vector and, where they are asked for, tokens; or
000000.npy              [texts, dim], with 000000.ids.jsonl beside it

A shard is known to stand by its vectors, which are written last. Names that begin with ``_`` are what readers of
Parquet folders pass over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as parquet
import xxhash

from cosmith.atomic import atomic_file, write_json
from cosmith.data.array_files import write_array_to
from cosmith.data.ragged import Float32
from cosmith.errors import InputError, nearest
from cosmith.models.batched import distinct_of, tokens_ahead
from cosmith.models.dimensions import checked_dim
from cosmith.models.fingerprint_parts import EmbeddingFingerprint, vectors_fingerprint
from cosmith.progress import counted_by, track
from cosmith.retrieval import vectors
from cosmith.retrieval.vectors import StoredAs, require_finite_of

if TYPE_CHECKING:
    from cosmith.models import TextEncoder

ShardForm = Literal["parquet", "npy"]
SHARD_FORMS: tuple[ShardForm, ...] = get_args(ShardForm)

_FORMAT = 1
_MANIFEST = "_manifest.json"
_ANEW = "Give the same texts, model and options as before, or another output; or remove what stands there."

NamedTexts = Sequence[tuple[str, str]]
"""Texts with the id of each before it."""


@dataclass(frozen=True)
class ShardCard:
    """What is written down of a shard.

    Attributes:
        texts: How many it is of.
        distinct: How many of them are different: so many were encoded.
        input: A hash of their ids and texts, in their order.
        tokens: How many tokens they have, those that were cut off included; None where the encoder does not tell.
        cut: Of the texts that are longer than the model reads, id and number of tokens.
    """

    texts: int
    distinct: int
    input: str
    tokens: int | None
    cut: tuple[tuple[str, int], ...]

    @classmethod
    def read(cls, path: Path) -> ShardCard | None:
        """That of a file; None where there is none that can be read."""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            cut = tuple((str(name), int(tokens)) for name, tokens in said["cut"])
            return cls(int(said["texts"]), int(said["distinct"]), str(said["input"]), said["tokens"], cut)
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class VectorFolder:
    """What stands in a folder of shards.

    Attributes:
        folder: Where.
        form: As what the shards are kept.
        shards: How many there are.
        texts: How many texts.
        encoded: How many of them are different from those before them in their shard.
        cut: How many of the texts are longer than the model reads; None where the encoder does not tell.
        tokens: How many tokens all have; None likewise.
    """

    folder: Path
    form: ShardForm
    shards: int
    texts: int
    encoded: int
    cut: int | None
    tokens: int | None

    @property
    def files(self) -> list[Path]:
        """The shards, in the order of the texts."""
        return [_vectors_path(self.folder, number, self.form) for number in range(self.shards)]

    @property
    def ids_files(self) -> list[Path]:
        """Beside shards as arrays: the ids of their rows, as JSON lines."""
        return [_ids_path(self.folder, number) for number in range(self.shards)] if self.form == "npy" else []

    def made(self) -> dict[str, Any]:
        """What the manifest says of the vectors, whatever they are kept in: the model, the fingerprint, how many."""
        said = _read_manifest(self.folder / _MANIFEST)
        return {name: said[name] for name in ("model", "dim", "texts", "encoded", "cut", "tokens", "fingerprint")}

    def cut_texts(self) -> Iterator[tuple[str, int]]:
        """Id and number of tokens of each text that was cut."""
        for number in range(self.shards):
            card = ShardCard.read(_card_path(self.folder, number))
            yield from card.cut if card is not None else ()


@dataclass(frozen=True, eq=False)
class ShardWriter:
    """Makes shards of texts; it travels to other processes with its encoder.

    Attributes:
        encoder: Makes the vectors.
        folder: Where the shards go.
        prompt, instruction, dim: As of :meth:`cosmith.models.TextEncoder.encode`.
        form: As what the shards are kept.
        rows: Texts a shard.
        token_counts: Whether the number of tokens of each text is kept beside its vector.
        stored_as: What the numbers are kept as.

    Raises:
        InputError: When there is no such form, or the encoder does not tell how many tokens a text has.
    """

    encoder: TextEncoder
    folder: Path
    prompt: str | None = None
    instruction: str = ""
    dim: int | None = None
    form: ShardForm = "parquet"
    rows: int = field(default_factory=lambda: vectors.SHARD_ROWS)
    token_counts: bool = False
    stored_as: StoredAs = "float32"

    def __post_init__(self) -> None:
        if self.form not in SHARD_FORMS:
            raise InputError(f"{self.form!r} is no form of shards", field="form",
                             remedy=nearest(str(self.form), SHARD_FORMS))  # fmt: skip
        if self.rows < 1:
            raise InputError(f"is {self.rows}", field="rows", remedy="Give at least 1.")
        checked_dim(self.dim, self.encoder.dimension)
        if self.token_counts and not self._tells_tokens:
            raise InputError("the encoder does not tell how many tokens a text has", field="token_counts",
                             remedy="Leave it out.")  # fmt: skip

    @property
    def _tells_tokens(self) -> bool:
        return hasattr(self.encoder, "encode_tokens")

    def fingerprint(self) -> EmbeddingFingerprint:
        """Of the vectors that it makes."""
        return vectors_fingerprint(
            self.encoder, prompt=self.prompt, instruction=self.instruction, dim=self.dim, form=self.stored_as
        )

    def path(self, number: int) -> Path:
        """Where the vectors of a shard stand."""
        return _vectors_path(self.folder, number, self.form)

    def begin(self) -> None:
        """Make the folder, with its manifest, where it is not there.

        Raises:
            StorageError: When it cannot be written.
        """
        if not (self.folder / _MANIFEST).is_file():
            write_json(self.folder / _MANIFEST, self._described(self.fingerprint()))

    def require_ours(self) -> None:
        """Refuse a folder to which no shards can be added; one that is not there is made with the first shard.

        Raises:
            InputError: When it holds something else, or shards that were made otherwise, saying what differs; or the
                encoder has no such prompt.
        """
        if self._tells_tokens:  # an unknown prompt shall fail before anything is made
            encoder: Any = self.encoder
            encoder.tokenize([], prompt=self.prompt, instruction=self.instruction)
        manifest, made = self.folder / _MANIFEST, self.fingerprint()
        if not manifest.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise InputError("holds something else than shards of vectors", path=self.folder,
                                 remedy="Choose a new folder, or empty it.")  # fmt: skip
            return
        said = _read_manifest(manifest)
        stands = EmbeddingFingerprint.from_json(said.get("fingerprint"))
        differences = ["its fingerprint cannot be read"] if stands is None else stands.differences(made)
        settings = self._settings()
        differences += [
            f"{name.replace('_', ' ')} {said.get(name)} there, {settings[name]} here"
            for name in settings
            if said.get(name) != settings[name]
        ]
        if differences:
            raise InputError(
                f"holds vectors that were made otherwise: {'; '.join(differences)}", path=self.folder, remedy=_ANEW
            )

    def _settings(self) -> dict[str, Any]:
        return {"format": _FORMAT, "shards_kept_as": self.form, "texts_a_shard": self.rows,
                "token_counts": self.token_counts}  # fmt: skip

    def _described(self, made: EmbeddingFingerprint) -> dict[str, Any]:
        return self._settings() | {
            "model": str(getattr(self.encoder, "name", "")),
            "dim": self.dim or self.encoder.dimension,
            "fingerprint": made.as_json(),
        }

    def stands(self, number: int, texts: NamedTexts) -> bool:
        """Whether the shard of these texts stands.

        Raises:
            InputError: When one of other texts stands in its place.
        """
        if not self.path(number).is_file():
            return False
        card = ShardCard.read(_card_path(self.folder, number))
        if card is None or card.input != _digest_of(texts):
            first = number * self.rows
            raise InputError(
                f"is of other texts than number {first + 1:,} to {first + len(texts):,} of those that were given",
                path=self.path(number), remedy=_ANEW,
            )  # fmt: skip
        return True

    def write(self, number: int, texts: NamedTexts) -> None:
        """Encode texts, each different one once, and write their shard.

        Raises:
            InputError: When a vector is not finite.
            StorageError: When it cannot be written.
        """
        ids = [name for name, _ in texts]
        distinct, places = distinct_of([text for _, text in texts])
        made, tokens, cut = self._encoded(distinct)
        require_finite_of(made, distinct)
        rows = made.astype(self.stored_as, copy=False)
        if len(distinct) < len(ids):  # otherwise they stand in order, and one copy is enough
            rows = rows[places]
        of_each = None if tokens is None else tokens[places]
        said = {
            "texts": len(ids),
            "distinct": len(distinct),
            "input": _digest_of(texts),
            "tokens": None if of_each is None else int(of_each.sum()),
            "cut": [] if of_each is None else [(ids[row], int(of_each[row])) for row in np.flatnonzero(cut[places])],
        }
        self.begin()
        write_json(_card_path(self.folder, number), said)
        kept = of_each if self.token_counts else None
        if self.form == "parquet":
            self._write_parquet(number, ids, rows, kept)
        else:
            self._write_array(number, ids, rows, kept)

    def _encoded(self, texts: Sequence[str]) -> tuple[Float32, npt.NDArray[np.int32] | None, npt.NDArray[np.bool_]]:
        """Vectors; how many tokens each text has and whether it was cut, where the encoder tells."""
        encoder: Any = self.encoder
        if not self._tells_tokens:
            made = encoder.encode(
                texts, prompt=self.prompt, instruction=self.instruction, dim=self.dim, show_progress="texts"
            )
            return made, None, np.zeros(len(texts), dtype=bool)
        made = np.empty((len(texts), self.dim or encoder.dimension), dtype=np.float32)
        counts, cut = np.empty(len(texts), dtype=np.int32), np.empty(len(texts), dtype=bool)
        tokenize = partial(encoder.tokenize, prompt=self.prompt, instruction=self.instruction)
        with track("texts", len(texts)) as bar:
            for start, tokens in tokens_ahead(texts, tokenize):
                rows = slice(start, start + len(tokens))
                with counted_by(bar, len(tokens)):
                    made[rows] = encoder.encode_tokens(tokens, dim=self.dim, show_progress="texts")
                counts[rows], cut[rows] = tokens.full_lengths, tokens.truncated
        return made, counts, cut

    def _write_parquet(self, number: int, ids: list[str], rows: npt.NDArray[Any], tokens: Any) -> None:
        lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
        columns = {"_id": pa.array(ids, pa.large_string()), "vector": lists}
        if tokens is not None:
            columns["tokens"] = pa.array(tokens, pa.int32())
        with atomic_file(self.path(number), "wb") as handle:
            # Vectors repeat nothing: a dictionary of their numbers, or compression, only costs time and memory.
            parquet.write_table(pa.table(columns), handle, use_dictionary=False, compression="none")

    def _write_array(self, number: int, ids: list[str], rows: npt.NDArray[Any], tokens: Any) -> None:
        with atomic_file(_ids_path(self.folder, number)) as handle:
            for row, name in enumerate(ids):
                said = {"_id": name} if tokens is None else {"_id": name, "tokens": int(tokens[row])}
                handle.write(json.dumps(said, ensure_ascii=False) + "\n")
        with atomic_file(self.path(number), "wb") as handle:
            write_array_to(handle, rows.shape, rows.dtype, [rows])

    def finish(self, shards: int) -> VectorFolder:
        """Say in the manifest how many texts there are.

        Raises:
            InputError: When there are no shards, or more of them stand there than these.
        """
        if not shards:
            raise InputError("there are no texts to encode", field="texts")
        more = sorted(file for file in self.folder.glob(f"[0-9]*.{self.form}") if _number(file) >= shards)
        if more:
            raise InputError("is of more texts than were given", path=more[0], remedy=_ANEW)
        texts = encoded = cut = tokens = 0
        for number in range(shards):
            card = ShardCard.read(_card_path(self.folder, number))
            if card is None:
                raise InputError("cannot be read", path=_card_path(self.folder, number), remedy=_ANEW)
            texts, encoded = texts + card.texts, encoded + card.distinct
            cut, tokens = cut + len(card.cut), tokens + (card.tokens or 0)
        told = (cut, tokens) if self._tells_tokens else (None, None)
        found = VectorFolder(self.folder, self.form, shards, texts, encoded, *told)
        counts = {"texts": texts, "shards": shards, "encoded": encoded, "cut": found.cut, "tokens": found.tokens}
        write_json(self.folder / _MANIFEST, self._described(self.fingerprint()) | counts)
        return found


def _digest_of(texts: NamedTexts) -> str:
    digest = xxhash.xxh3_128()
    for name, text in texts:
        digest.update(f"{len(name)} {name}{len(text)} {text}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", path=path, remedy=_ANEW) from error
    return said if isinstance(said, dict) else {}


def _vectors_path(folder: Path, number: int, form: ShardForm) -> Path:
    return folder / f"{number:06d}.{form}"


def _ids_path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.ids.jsonl"


def _card_path(folder: Path, number: int) -> Path:
    return folder / "_shards" / f"{number:06d}.json"


def _number(file: Path) -> int:
    return int(file.name.partition(".")[0])
