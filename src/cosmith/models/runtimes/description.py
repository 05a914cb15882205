"""What an exported folder holds: its graphs by runtime and precision, and what their readers must know of the tokens.

``cosmith_runtimes.json`` stands beside the files of a sentence-transformers folder, which say the rest: prompts,
maximum length, lower-casing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import xxhash

from cosmith.atomic import write_json
from cosmith.errors import InputError, nearest
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.models.folder import inside, read_object, required_value, typed_value

ExportRuntime = Literal["onnx", "openvino"]
RuntimePrecision = Literal["float32", "float16", "int8", "int8-static"]
RUNTIMES: tuple[ExportRuntime, ...] = get_args(ExportRuntime)
RUNTIME_PRECISIONS: tuple[RuntimePrecision, ...] = get_args(RuntimePrecision)
IMPOSSIBLE: Mapping[tuple[str, str], str] = MappingProxyType(
    {("openvino", "int8"): "OpenVINO does not scale activations batch by batch"}
)
"""A runtime and a precision that do not go together → why."""

DESCRIPTION = "cosmith_runtimes.json"
_FORMAT = 2
_UNIT_ROWS_FORMAT = 1  # from before graphs that leave other lengths than one
_ANEW = "Export the model anew: cosmith export."


@dataclass(frozen=True)
class Variant:
    """One graph of a model.

    Attributes:
        runtime: What runs it.
        precision: In what numbers it computes.
        files: Its files, relative to the folder; the first is the one to open.
        digest: A hash over what is in them.
    """

    runtime: ExportRuntime
    precision: RuntimePrecision
    files: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """E.g. ``onnx int8``."""
        return f"{self.runtime} {self.precision}"

    def bytes_in(self, folder: Path) -> int:
        """How large its files are."""
        return sum((folder / file).stat().st_size for file in self.files)

    def require_whole(self, folder: Path) -> None:
        """Refuse files that are not those that were exported.

        Raises:
            InputError: When one is missing or has changed.
        """
        for file in self.files:
            if not inside(folder, file).is_file():
                raise InputError(f"there is no {file}", path=folder, remedy=_ANEW)
        if digest_of([folder / file for file in self.files]) != self.digest:
            raise InputError("has changed since it was exported", path=folder / self.files[0], remedy=_ANEW)


@dataclass(frozen=True)
class ExportedModel:
    """What an exported folder says beyond sentence-transformers' files.

    A graph reads ``input_ids`` and ``attention_mask``, int64 ``[texts, tokens]``, and gives ``sentence_embedding``,
    float32 ``[texts, dimension]``, as the model's modules leave them; those of transformers also give
    ``last_hidden_state``.

    Attributes:
        dimension: Numbers of a vector.
        made_from: The fingerprint of the model that was exported.
        vocabulary: How many tokens it knows.
        padding: The token that fills up the shorter texts of a batch; None: none.
        end: The tokenizer's end-of-sequence token; None: none.
        special: The numbers of all of its special tokens.
        variants: The graphs.
        normalises: Whether the graphs give unit rows.
        parts: The fingerprint of the model that was exported, part by part; None in folders of earlier releases.
    """

    dimension: int
    made_from: str
    vocabulary: int
    padding: int | None
    end: int | None
    special: tuple[int, ...]
    variants: tuple[Variant, ...]
    normalises: bool
    parts: EmbeddingFingerprint | None = None

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        parts = None if self.parts is None else self.parts.as_json()
        write_json(folder / DESCRIPTION, {"format": _FORMAT} | asdict(replace(self, parts=None)) | {"parts": parts})

    @classmethod
    def read(cls, folder: Path) -> ExportedModel:
        """Read it from a folder.

        Raises:
            InputError: When the folder holds no exported model, or one that this release does not know.
        """
        path = folder / DESCRIPTION
        if not path.is_file():
            raise InputError(
                "holds no exported model", path=folder,
                remedy=f"Export it: cosmith export {folder} --to FOLDER --runtime onnx; or load it with torch.",
            )  # fmt: skip
        said = read_object(path)
        if said.get("format") not in (_UNIT_ROWS_FORMAT, _FORMAT):
            raise InputError(f"is of format {said.get('format')!r}, not {_FORMAT}", path=path, remedy=_ANEW)
        listed = required_value(said, "variants", list, path)
        special = required_value(said, "special", list, path)
        if not listed or not all(isinstance(number, int) for number in special):
            raise InputError("lists no variants, or special tokens that are no numbers", path=path, remedy=_ANEW)
        return cls(
            dimension=required_value(said, "dimension", int, path),
            made_from=required_value(said, "made_from", str, path),
            vocabulary=required_value(said, "vocabulary", int, path),
            padding=typed_value(said, "padding", int, path),
            end=typed_value(said, "end", int, path),
            special=tuple(special),
            variants=tuple(_variant(each, path) for each in listed),
            normalises=said["format"] == _UNIT_ROWS_FORMAT or required_value(said, "normalises", bool, path),
            parts=EmbeddingFingerprint.from_json(said.get("parts")),
        )

    def choose(self, runtime: str, precision: str, folder: Path) -> tuple[Variant, ...]:
        """The variants of a runtime and precision, ``"auto"`` meaning any.

        Raises:
            InputError: When there is none.
        """
        for given, known, field in ((runtime, RUNTIMES, "runtime"), (precision, RUNTIME_PRECISIONS, "precision")):
            if given not in (*known, "auto"):
                raise InputError(f"there is no {field} {given!r}", field=field, remedy=nearest(given, [*known, "auto"]))
        wanted = {given for given in (runtime, precision) if given != "auto"}
        found = tuple(each for each in self.variants if wanted <= {each.runtime, each.precision})
        if not found:
            asked = " ".join(word for word in (runtime, precision) if word != "auto")
            there = ", ".join(each.name for each in self.variants)
            raise InputError(f"holds no {asked} form, only: {there}", path=folder,
                             remedy="Ask for one of these, or export the model anew.")  # fmt: skip
        return found


def _variant(said: Any, path: Path) -> Variant:
    if not isinstance(said, dict):
        raise InputError("lists a variant that is no object", path=path, field="variants", remedy=_ANEW)
    runtime, precision = (required_value(said, key, str, path) for key in ("runtime", "precision"))
    files = required_value(said, "files", list, path)
    if runtime not in RUNTIMES or precision not in RUNTIME_PRECISIONS or not files:
        raise InputError(f"lists a variant that is not known: {said}", path=path, field="variants", remedy=_ANEW)
    return Variant(runtime, precision, tuple(map(str, files)), required_value(said, "digest", str, path))


def is_export(folder: Path) -> bool:
    """Whether a folder holds an exported model."""
    return (folder / DESCRIPTION).is_file()


def digest_of(files: Sequence[Path]) -> str:
    """A hash over what is in some files, in their order."""
    digest = xxhash.xxh3_128()
    for file in files:
        with file.open("rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
