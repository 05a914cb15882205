"""Forms by name: how vectors are stored and searched, as the command line, recipes and reports say it.

int8                                       a code
pca128+binary                              a transform, or several, before it
pca128+binary, rescored x4 by int8         the best 4 k by their bits, put in order by int8 of the whole vectors
rotated+hnsw-sq8                           a graph, of faiss
ivf-rabitq, rescored x3 by float16         an inverted file, of faiss
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

from cosmith.errors import InputError, nearest
from cosmith.retrieval.compressed.named_codes import CodeName

TransformName = Literal["cut", "pca", "centred-pca", "whitened", "rotated"]
Structure = Literal["hnsw-sq8", "ivf-rabitq"]

TRANSFORMS: tuple[TransformName, ...] = get_args(TransformName)
CODES: tuple[CodeName, ...] = get_args(CodeName)
STRUCTURES: tuple[Structure, ...] = get_args(Structure)


@dataclass(frozen=True)
class TransformStep:
    """A transform by name.

    Attributes:
        name: Which.
        kept: Numbers that it keeps; None: all (a cut always says how many).
    """

    name: TransformName
    kept: int | None = None

    def __str__(self) -> str:
        return f"{self.name}{self.kept or ''}"


@dataclass(frozen=True)
class Coding:
    """What is stored of each vector.

    Attributes:
        code: The code.
        transforms: What is done before, in order.
        parts: Bytes of product quantisation; None for other codes.
    """

    code: CodeName
    transforms: tuple[TransformStep, ...] = ()
    parts: int | None = None

    def __str__(self) -> str:
        return "+".join([*map(str, self.transforms), f"{self.code}{self.parts or ''}"])


@dataclass(frozen=True)
class FaissStructure:
    """A structure of faiss that is searched in place of all vectors; it has a code of its own.

    Attributes:
        structure: Which.
        transforms: What is done before, in order.
    """

    structure: Structure
    transforms: tuple[TransformStep, ...] = ()

    def __str__(self) -> str:
        return "+".join([*map(str, self.transforms), self.structure])


@dataclass(frozen=True)
class SearchForm:
    """How vectors are stored and searched.

    Attributes:
        first: What finds candidates; where nothing is rescored, what is found.
        rescored: How many candidates for each that is wanted; None: the first's order stands.
        by: What puts candidates in order.
    """

    first: Coding | FaissStructure
    rescored: int | None = None
    by: Coding | None = None

    def __post_init__(self) -> None:
        if (self.rescored is None) != (self.by is None) or (self.rescored is not None and self.rescored < 1):
            raise InputError(
                "rescoring needs a number of candidates, at least 1 for each, and a code that scores them",
                field="form", remedy="Write, for example: binary, rescored x4 by int8.",
            )  # fmt: skip
        if self.by is not None and self.by.code == "binary":
            raise InputError(
                "signs cannot put candidates in a finer order", field="form", remedy="Rescore by int8 or float16."
            )

    def __str__(self) -> str:
        return str(self.first) + (f", rescored x{self.rescored} by {self.by}" if self.by else "")


Stored = TypeVar("Stored", Coding, FaissStructure)

_RESCORED = re.compile(r"(?:rescored|refined)\s+x(\d+)(?:\s+by\s+(.+))?")
_NUMBERED = re.compile(r"(.*?)(\d*)")


def parse_form(said: str) -> SearchForm:
    """A form by its name; ``str`` of it is the name again.

    ``refined`` means ``rescored``, and where nothing is said of by what, it is int8 of the whole vectors.

    Raises:
        InputError: When there is no such form, naming the part that is unknown.
    """
    first, comma, rest = (part.strip() for part in said.partition(","))
    if not comma:
        return SearchForm(_coding_or_structure(first, said))
    found = _RESCORED.fullmatch(rest)
    if found is None:
        raise _unknown(said, f"{rest!r} is not how candidates are put in order", "Write it as: rescored x4 by int8.")
    by = _coding_or_structure(found[2] or "int8", said)
    if isinstance(by, FaissStructure):
        raise _unknown(said, f"{by} finds candidates, but does not put any in order", "Rescore by int8 or float16.")
    return SearchForm(_coding_or_structure(first, said), int(found[1]), by)


def parse_forms(said: str) -> tuple[SearchForm, ...]:
    """Forms with semicolons between them, each once.

    Raises:
        InputError: When there is none, or one of them is not known.
    """
    forms = tuple(dict.fromkeys(parse_form(part) for part in said.split(";") if part.strip()))
    if not forms:
        raise InputError("names no form", field="forms", remedy="Name some, e.g. 'int8; binary, rescored x4 by int8'.")
    return forms


def _coding_or_structure(said: str, whole: str) -> Coding | FaissStructure:
    *before, last = (part.strip() for part in said.split("+"))
    transforms = tuple(_transform(part, whole) for part in before)
    structures = {str(each): each for each in STRUCTURES}
    if last in structures:
        return FaissStructure(structures[last], transforms)
    codes = {str(code): code for code in CODES if code != "pq"}
    if last in codes:
        return Coding(codes[last], transforms)
    number = re.fullmatch(r"pq(\d+)", last)
    if number and int(number[1]):
        return Coding("pq", transforms, int(number[1]))
    raise _unknown(whole, f"there is no code {last!r}", nearest(last, [*codes, *structures, "pq48"]))


def _transform(said: str, whole: str) -> TransformStep:
    known = {str(each): each for each in TRANSFORMS}
    found = _NUMBERED.fullmatch(said)
    assert found is not None  # it takes every text
    name, kept = found[1], int(found[2]) if found[2] else None
    if name not in known:
        raise _unknown(whole, f"there is no transform {said!r}", nearest(name, known))
    step = TransformStep(known[name], kept)
    if (kept is None and name == "cut") or kept == 0:
        raise _unknown(whole, f"{said!r} does not say how many numbers to keep", f"Write it as: {name}128.")
    if kept is not None and name == "rotated":
        raise _unknown(whole, "a rotation keeps all numbers", "Leave the number out, or cut before it.")
    return step


def _unknown(whole: str, problem: str, remedy: str) -> InputError:
    return InputError(f"{whole.strip()!r}: {problem}", field="forms", remedy=remedy)


def with_rotation(form: Stored) -> Stored:
    """RaBitQ with the rotation that it needs, where none is said right before it."""
    name = form.code if isinstance(form, Coding) else form.structure
    if "rabitq" not in name or (form.transforms and form.transforms[-1].name == "rotated"):
        return form
    return replace(form, transforms=(*form.transforms, TransformStep("rotated")))
