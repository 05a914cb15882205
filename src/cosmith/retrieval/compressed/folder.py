"""Compressed vectors in a folder; the layout stands in :mod:`cosmith.retrieval.compressed.vectors`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.data.array_files import map_array, write_array
from cosmith.errors import InputError
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.retrieval.compressed.coding import BLOCK, FittedCoding, StoredCodes
from cosmith.retrieval.compressed.faiss_library import load_faiss
from cosmith.retrieval.compressed.form import Coding, SearchForm, parse_form
from cosmith.retrieval.compressed.named_codes import code_of
from cosmith.retrieval.compressed.structures import StructuredVectors
from cosmith.retrieval.compressed.transforms import Transform

FORMAT = 1
_REMEDY = "Build it again with CompressedVectors.build, and save it."


def write(
    folder: Path,
    form: SearchForm,
    dimension: int,
    first: StoredCodes | StructuredVectors,
    finer: StoredCodes | None,
    *,
    made: Mapping[str, Any],
) -> None:
    """Write a folder, atomically; ``made``: the name and fingerprint of what made the vectors."""
    require_replaceable(folder, "vectors.json", "compressed vectors")
    with atomic_folder(folder) as place:
        about: dict[str, Any] = {"format": FORMAT, "form": str(form), "count": len(first), "dimension": dimension}
        about |= {**made, "parts": {}}
        for name, part in (("first", first), ("finer", finer)):
            if isinstance(part, StoredCodes):
                about["parts"][name] = _write_codes(part, place, name)
            elif part is not None:
                about["parts"][name] = _write_structure(part, place, name)
        write_json(place / "vectors.json", about)


def _write_codes(part: StoredCodes, place: Path, name: str) -> dict[str, Any]:
    blocks = (part.codes[start : start + BLOCK] for start in range(0, len(part.codes), BLOCK))
    write_array(place / f"{name}.codes.npy", part.codes.shape, part.codes.dtype, blocks)
    arrays = part.fitted.code.arrays()
    for each, array in arrays.items():
        write_array(place / f"{name}.{each}.npy", array.shape, array.dtype, [array])
    return _write_transform(part.fitted.transform, place, name) | {
        "arrays": {each: array.dtype.str for each, array in arrays.items()}
    }


def _write_structure(part: StructuredVectors, place: Path, name: str) -> dict[str, Any]:
    stored = load_faiss().serialize_index(part.index)
    with (place / f"{name}.faiss").open("wb") as handle:
        handle.write(stored.data)
    return _write_transform(part.transform, place, name) | {"bytes": part.bytes, "xxh3": _digest(stored)}


def _write_transform(transform: Transform | None, place: Path, name: str) -> dict[str, Any]:
    if transform is None:
        return {"transform": None}
    for each, array in (("mean", transform.mean), ("matrix", transform.matrix)):
        write_array(place / f"{name}.{each}.npy", array.shape, np.float32, [array])
    return {"transform": {"renormalise": transform.renormalise}}


def read(
    folder: Path,
) -> tuple[SearchForm, int, StoredCodes | StructuredVectors, StoredCodes | None, str, str, EmbeddingFingerprint | None]:
    """Open a folder: form, dimension, first and finer part, the name and fingerprint of what made the vectors, and that
    of these part by part.

    Raises:
        InputError: When it holds no compressed vectors, is damaged, or of another format.
    """
    about = _read_card(folder)
    try:
        form, dimension, count = parse_form(about["form"]), int(about["dimension"]), int(about["count"])
        parts = about["parts"]
        first: StoredCodes | StructuredVectors
        if isinstance(form.first, Coding):
            first = _read_codes(folder, "first", parts["first"], form.first, dimension)
        else:
            first = _read_structure(folder, "first", parts["first"], dimension)
        finer = None if form.by is None else _read_codes(folder, "finer", parts["finer"], form.by, dimension)
        model, encoder = str(about["model"]), str(about["encoder"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError) and error.path is not None:
            raise
        raise InputError(f"is damaged ({error})", path=folder / "vectors.json", remedy=_REMEDY) from error
    for part in (first, finer):
        if part is not None and len(part) != count:
            raise InputError(f"holds {len(part)} vectors in one part, and {count} in all", path=folder, remedy=_REMEDY)
    return form, dimension, first, finer, model, encoder, EmbeddingFingerprint.from_json(about.get("fingerprint"))


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "vectors.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
    except (FileNotFoundError, NotADirectoryError) as error:
        problem = (
            "holds no compressed vectors: there is no vectors.json" if folder.exists() else "there is no such folder"
        )
        raise InputError(problem, path=folder, remedy="Name a folder that CompressedVectors.save wrote.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"does not describe compressed vectors ({error})", path=path, remedy=_REMEDY) from error
    if version != FORMAT:
        raise InputError(f"is of format {version}; this version reads {FORMAT}", path=path, remedy=_REMEDY)
    return about


def _read_codes(folder: Path, name: str, about: dict[str, Any], coding: Coding, dimension: int) -> StoredCodes:
    transform = _read_transform(folder, name, about, dimension)
    arrays = {
        each: np.array(map_array(folder / f"{name}.{each}.npy", dtype, _REMEDY))
        for each, dtype in about["arrays"].items()
    }
    code = code_of(coding.code, dimension if transform is None else transform.kept, arrays)
    codes = map_array(folder / f"{name}.codes.npy", code.dtype, _REMEDY)
    stored = dimension if transform is None else transform.kept
    if codes.ndim != 2 or codes.shape[1] != code.width or code.dimension != stored:
        raise InputError(
            f"holds codes {codes.shape}, not rows of {code.width} for vectors of {stored} numbers",
            path=folder / f"{name}.codes.npy", remedy=_REMEDY,
        )  # fmt: skip
    return StoredCodes(FittedCoding(transform, code), codes)


def _read_structure(folder: Path, name: str, about: dict[str, Any], dimension: int) -> StructuredVectors:
    transform = _read_transform(folder, name, about, dimension)
    path = folder / f"{name}.faiss"
    try:
        stored = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", path=path, remedy=_REMEDY) from error
    # faiss trusts what it reads: a damaged file may end the process.
    if _digest(stored) != about["xxh3"]:
        raise InputError("was changed or damaged since it was written", path=path, remedy=_REMEDY)
    faiss = load_faiss()
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if index.d != (dimension if transform is None else transform.kept):
        raise InputError(f"is of vectors of {index.d} numbers", path=path, remedy=_REMEDY)
    return StructuredVectors(transform, index, float(about["bytes"]))


def _read_transform(folder: Path, name: str, about: dict[str, Any], dimension: int) -> Transform | None:
    told = about["transform"]
    if told is None:
        return None
    mean, matrix = (
        np.array(map_array(folder / f"{name}.{each}.npy", np.float32, _REMEDY)) for each in ("mean", "matrix")
    )
    if mean.shape != (dimension,) or matrix.ndim != 2 or len(matrix) != dimension:
        raise InputError(
            f"holds a transform {matrix.shape} with a mean {mean.shape} for vectors of {dimension} numbers",
            path=folder / f"{name}.matrix.npy", remedy=_REMEDY,
        )  # fmt: skip
    return Transform(mean, matrix, bool(told["renormalise"]))


def _digest(stored: npt.NDArray[np.uint8]) -> str:
    return xxhash.xxh3_128_hexdigest(stored.data)
