"""Which forms of vectors a plan compares, and what they stand for where nothing is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import numpy as np

from cosmith.errors import InputError
from cosmith.evaluation.choosing.candidates import halves
from cosmith.retrieval.compressed import Coding, CompressedVectors, SearchForm, parse_form
from cosmith.retrieval.compressed.named_codes import CodeName
from cosmith.retrieval.compressed.structures import StructuredVectors

WHOLE = parse_form("float32")
_TRIED_ON = 300  # random vectors, on which it is seen whether a form goes with their length
Sizes = Mapping[SearchForm, tuple[float, float]]
"""Form → bytes of a document: in what is searched, with its share of a structure, and of the finer copy."""
_OF_STRUCTURE: dict[str, CodeName] = {"hnsw-sq8": "uint8", "ivf-rabitq": "rabitq"}


def usual_forms(dimension: int, *, dims: Sequence[int] = (), searched: bool) -> tuple[SearchForm, ...]:
    """Forms worth comparing.

    Args:
        dimension: Numbers of a whole vector.
        dims: Shorter lengths; none: its halves down to 32.
        searched: Whether a task searches; where none does, ways to search are left out.

    Raises:
        InputError: When a length is not below the whole one.
    """
    wrong = next((dim for dim in dims if not 1 <= dim <= dimension), None)
    if wrong is not None:
        raise InputError(f"{wrong} is not between 1 and the model's {dimension}", field="dims",
                         remedy="Ask for fewer.")  # fmt: skip
    shorter = [dim for dim in sorted({*dims} or {*halves(dimension)}, reverse=True) if dim < dimension]
    names = ["float32", "float16", "int8", "binary", "rabitq"]
    names += [name for dim in shorter for name in (f"cut{dim}+int8", f"pca{dim}+int8")]
    if searched:
        names += ["binary, rescored x4 by int8", "binary, rescored x10 by int8", "rabitq, rescored x4 by int8"]
        names += [f"pca{dim}+rabitq, rescored x4 by int8" for dim in shorter]
    if find_spec("faiss") is not None:
        parts = next((parts for parts in range(dimension // 8, 0, -1) if dimension % parts == 0), 1)
        names.append(f"pq{parts}")
        if searched:
            names += [f"pq{parts}, rescored x4 by int8", "hnsw-sq8", "ivf-rabitq, rescored x4 by int8"]
    return tuple(map(parse_form, names))


def sizes_of(forms: Sequence[SearchForm], dimension: int, corpus_size: int, *, searched: bool) -> Sizes:
    """What forms take, known before any work is done; refused where they do not go with vectors of this length, or with
    the tasks.

    Args:
        forms: The forms.
        dimension: Numbers of a whole vector.
        corpus_size: For how many documents.
        searched: Whether a task searches.

    Raises:
        InputError: Naming the form.
    """
    vectors = np.random.default_rng(0).normal(size=(_TRIED_ON, dimension)).astype(np.float32)
    found = {}
    for form in forms:
        if not searched and (form.by is not None or not isinstance(form.first, Coding)):
            raise InputError(f"{str(form)!r} is a way to search, and no task searches", field="forms",
                             remedy="Leave it out, or give a retrieval task.")  # fmt: skip
        built = CompressedVectors.build(vectors, form)
        first = built.first
        found[form] = (
            first.bytes_among(corpus_size) if isinstance(first, StructuredVectors) else first.bytes, built.finer_bytes,
        )  # fmt: skip
    return found


def without_search(form: SearchForm) -> SearchForm:
    """What a form's vectors stand for where pairs of texts are compared and nothing is searched: its finest codes, of a
    structure those in it."""
    if form.by is not None:
        return SearchForm(form.by)
    if isinstance(form.first, Coding):
        return form
    return SearchForm(Coding(_OF_STRUCTURE[form.first.structure], form.first.transforms))
