"""A teacher's vectors of what Sources' rows use: computed once before the first step, kept like tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from cosmith.atomic import atomic_file
from cosmith.data import Source
from cosmith.data.array_files import map_array, write_array_to
from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.training.batch_report import shown_text

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

_CHUNK = 65_536  # vectors that are worked on at a time


@dataclass(frozen=True, eq=False)
class RoleVectors:
    """The vectors of some texts of a Source in one role.

    Attributes:
        numbers: int64 [n], text numbers, ascending.
        values: float32 [n, Dt], unit rows.
    """

    numbers: Int64
    values: Float32

    def take(self, numbers: Int64) -> Float32:
        """The vectors [m, Dt] of texts that are among these."""
        return self.values[np.searchsorted(self.numbers, numbers)]


@dataclass(frozen=True, eq=False)
class TeacherVectors:
    """What another model makes of the texts of a Source: as queries, and as documents."""

    queries: RoleVectors
    documents: RoleVectors

    def take(self, queries: Int64, documents: Int64) -> Float32:
        """The vectors [m, Dt] of texts in the first role, then in the second."""
        return np.concatenate([self.queries.take(queries), self.documents.take(documents)])

    def take_any(self, numbers: Int64) -> Float32:
        """The vectors [m, Dt] of texts in the role that they have; of one with both, as a query."""
        as_query = np.isin(numbers, self.queries.numbers)
        values = np.empty((len(numbers), self.queries.values.shape[1]), np.float32)
        values[as_query] = self.queries.take(numbers[as_query])
        values[~as_query] = self.documents.take(numbers[~as_query])
        return values


def teach(teacher: Encoder, source: Source, folder: Path | None = None) -> TeacherVectors:
    """Let the teacher encode all that a Source's rows use, with its own prompts for their roles.

    Args:
        teacher: The other model.
        source: The rows.
        folder: Where the vectors are kept, memory-mapped; None: memory.

    Raises:
        InputError: When the teacher gives a text a vector that is not of finite numbers.
    """
    said = source.settings
    documents = np.unique(np.concatenate([source.positives, source.negatives]))
    roles = [(said.query_prompt, np.unique(source.query)), (said.document_prompt, documents)]
    found = []
    for number, (prompt, texts) in enumerate(roles):
        key = f"{teacher.fingerprint()}|{number}|{prompt}|{said.instruction}|{source.fingerprint()}"
        path = folder and folder / "teacher" / f"{xxhash.xxh3_64_hexdigest(key.encode())}.npy"
        if path is None or not path.is_file():
            values = teacher.encode(
                source.texts.take(texts), prompt=prompt, instruction=said.instruction, show_progress="teacher's vectors"
            )
            _check_finite(values, teacher, source, texts)
            if path is not None:
                with atomic_file(path, "wb") as handle:
                    write_array_to(handle, values.shape, np.float32, [values])
        if path is not None:
            values = map_array(path, np.float32, "Remove it; it is made again.")
            _check_finite(values, teacher, source, texts)
        found.append(RoleVectors(texts, values))
    return TeacherVectors(*found)


def _check_finite(values: Float32, teacher: Encoder, source: Source, texts: Int64) -> None:
    """Refuse vectors that would disable a guide's masks, which only compare, or that no student can follow."""
    for start in range(0, len(values), _CHUNK):
        wrong = np.flatnonzero(~np.isfinite(values[start : start + _CHUNK]).all(1))
        if len(wrong):
            text = shown_text(source.texts[int(texts[start + wrong[0]])])
            raise InputError(
                f"the teacher {teacher.name!r} gives the text {text!r} of the source {source.name!r} a vector with"
                " numbers that are not finite",
                field="teacher",
                remedy="Its weights or its precision are broken for that text: look at what it encodes it to, try"
                " float32, or take another teacher.",
            )


def turned(taught: Sequence[TeacherVectors], dimension: int, nested: bool) -> list[TeacherVectors]:
    """Teacher's vectors that a student of ``dimension`` dimensions can be given as its own.

    A student as wide as its teacher gets the vectors as they are. For a narrower one, and where prefixes of the
    student are to follow as well (``nested``), they are turned to the principal axes of all of them and cut: the
    projection that keeps most of their scalar products (Reimers & Gurevych do the same, arXiv:2004.09813). It is
    computed, not trained: a trained projection could make up for what the student does not learn.

    Args:
        taught: The vectors of each Source; one rotation for all.
        dimension: The student's.
        nested: Whether prefixes are trained, too.

    Raises:
        InputError: When the teacher's vectors are narrower than the student's.
    """
    parts = [role for each in taught for role in (each.queries, each.documents)]
    width = parts[0].values.shape[1]
    if width < dimension:
        raise InputError(
            f"the teacher's vectors have {width} dimensions, fewer than the student's {dimension}",
            field="teacher",
            remedy="Take a teacher with as many dimensions or more.",
        )
    if width == dimension and not nested:
        return list(taught)
    axes = principal_axes([part.values for part in parts], dimension)

    def turn(role: RoleVectors) -> RoleVectors:
        values = role.values @ axes
        norms = np.linalg.norm(values, axis=1, keepdims=True)
        return replace(role, values=np.divide(values, norms, out=values, where=norms > 0))

    return [TeacherVectors(turn(each.queries), turn(each.documents)) for each in taught]


def principal_axes(vectors: Sequence[Float32], dimension: int) -> Float32:
    """[Dt, dimension] directions in which the rows of all ``vectors`` [n, Dt] have most of their length, the longest
    first. Not centred, since scalar products are to be kept."""
    width = vectors[0].shape[1]
    products = np.zeros((width, width))
    for part in vectors:
        for start in range(0, len(part), _CHUNK):
            chunk = np.asarray(part[start : start + _CHUNK], np.float64)
            products += chunk.T @ chunk
    axes = np.linalg.eigh(products)[1][:, ::-1][:, :dimension]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # else a matter of the machine
    return np.asarray(axes * signs, np.float32)
