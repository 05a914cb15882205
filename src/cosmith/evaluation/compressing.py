"""What compressed vectors cost: a model's score with its vectors in several forms, and what searching them takes.

Every text is encoded once; all forms are made of the same full vectors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.scores import Scores
from cosmith.evaluation.sweeping import SearchCost, Sweep, SweptForm, change_from, remembered
from cosmith.evaluation.tasks.retrieval import RetrievalTask, judged_queries, score_hits
from cosmith.evaluation.tasks.task import encode_texts
from cosmith.models.similarity import require_cosine
from cosmith.progress import track
from cosmith.retrieval.compressed import (
    Coding,
    CompressedVectors,
    FittedCoding,
    SearchForm,
    neighbour_recall,
    parse_form,
)
from cosmith.retrieval.compressed.transforms import unit_rows
from cosmith.retrieval.dense import Positions
from cosmith.retrieval.hits import Hits
from cosmith.retrieval.makers import model_name

if TYPE_CHECKING:
    from cosmith.evaluation.tasks.task import EvaluationTask
    from cosmith.models import TextEncoder

_FULL = parse_form("float32")
_TIMED_QUERIES = 100


class CodedEncoder:
    """A :class:`~cosmith.models.TextEncoder` of the vectors that codes stand for, of queries and documents alike.

    Args:
        encoder: Makes the full vectors; best one that makes none twice.
        fitted: Transform and code.
        name: What to call it.
    """

    def __init__(self, encoder: TextEncoder, fitted: FittedCoding, name: str) -> None:
        self.encoder, self.fitted, self.name = encoder, fitted, name

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return self.fitted.code.dimension

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read."""
        return self.encoder.max_length

    def fingerprint(self) -> str:
        """The encoder's, with the form's name."""
        return f"{self.encoder.fingerprint()}-{self.name}"

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.TextEncoder.encode`; rows are unit length but for those that stand for nothing.

        Raises:
            InputError: When fewer numbers are asked for, which a form says by itself, or a vector is not finite.
        """
        if dim is not None:
            raise InputError(f"is {dim}, but forms say themselves how many numbers they keep", field="dim",
                             remedy=f"Leave it out, and write the form as pca{dim}+int8 or the like.")  # fmt: skip
        vectors = self.encoder.encode(texts, prompt=prompt, instruction=instruction, show_progress=show_progress)
        return unit_rows(self.fitted.code.decode(self.fitted.encode(vectors)))


def sweep_compressed(
    encoder: TextEncoder,
    task: EvaluationTask,
    forms: Sequence[SearchForm | str],
    *,
    seed: int = 0,
    resamples: int = 10_000,
    model: str | None = None,
) -> Sweep:
    """Score a model with its vectors compressed in several ways.

    On a retrieval task documents are brought into each form and searched with whole queries for as many as the main
    metric counts (rescoring is then of that many times its factor, as it is in use), and it is measured which of the
    exactly nearest are found, and how long it takes. On tasks of other kinds all texts are coded, and scored by what
    their codes stand for. Forms are made of unit rows, also of a model that leaves others.

    Args:
        encoder: Makes the vectors, each once.
        task: On what.
        forms: The forms, or their names. Each is fit on the documents, or on all texts of other tasks.
        seed: For the intervals, and of rotations and k-means.
        resamples: For the intervals; 0 leaves them out, and the comparisons.
        model: What to call the encoder; by default its own name.

    Returns:
        The full vectors in float32, with which all others are compared, then a row for each other form as given.

    Raises:
        InputError: When a form is not known or does not go with the vectors, it searches or rescores and the task does
            not, or the model is compared otherwise than by cosine.
    """
    require_cosine(encoder, "compressed vectors are compared")
    asked = [parse_form(form) if isinstance(form, str) else form for form in forms]
    name = model or model_name(encoder)
    encoder = remembered(encoder)
    ordered = list(dict.fromkeys([_FULL, *asked]))
    if isinstance(task, RetrievalTask):
        swept = _searched(encoder, task, ordered, name, seed=seed, resamples=resamples)
    else:
        swept = _coded(encoder, task, ordered, name, seed=seed, resamples=resamples)
    return Sweep(task.name, name, tuple(swept))


def _searched(
    encoder: TextEncoder, task: RetrievalTask, forms: Sequence[SearchForm], name: str, *, seed: int, resamples: int
) -> list[SweptForm]:
    collection = replace(task.data, name=task.name)
    of_documents, of_queries = task.texts()
    documents = encode_texts(encoder, of_documents, instruction=task.instruction)
    queries = encode_texts(encoder, of_queries, instruction=task.instruction)
    k = int(task.main.partition("@")[2])
    names, query_ids = Hits.names_of(list(collection.documents)), judged_queries(collection)
    swept: list[SweptForm] = []
    exact: Positions | None = None
    with track("Compressing vectors", len(forms), "forms") as bar:
        for form in forms:
            started = time.process_time()
            vectors = CompressedVectors.build(documents, form, seed=seed)
            built = time.process_time() - started
            positions, similarities = vectors.search(queries, k)
            exact = positions if exact is None else exact
            recall = neighbour_recall(positions, exact)
            cost = SearchCost(recall, positions.shape[1], vectors.finer_bytes, built, _speed(vectors, queries))
            scores = score_hits(
                Hits.from_positions(names, positions, similarities), collection, model=_called(name, form),
                query_ids=query_ids, ks=[at for at in task.ks if at <= k], main=task.main, seed=seed,
                resamples=resamples,
            )  # fmt: skip
            swept.append(_row(form, vectors.dimension, vectors.bytes, scores, swept, cost, seed, resamples))
            bar.advance(status=str(form))
    return swept


def _coded(
    encoder: TextEncoder, task: EvaluationTask, forms: Sequence[SearchForm], name: str, *, seed: int, resamples: int
) -> list[SweptForm]:
    codings = [_coding_of(form, task) for form in forms]  # all, before any work is done
    vectors = np.concatenate([encode_texts(encoder, each, instruction=task.instruction) for each in task.texts()])
    swept: list[SweptForm] = []
    with track("Compressing vectors", len(forms), "forms") as bar:
        for form, coding in zip(forms, codings, strict=True):
            fitted = FittedCoding.fit(coding, vectors, seed=seed)
            coded = CodedEncoder(encoder, fitted, _called(name, form))
            scores = task.evaluate(coded, seed=seed, resamples=resamples, model=coded.name)
            swept.append(_row(form, vectors.shape[1], fitted.bytes, scores, swept, None, seed, resamples))
            bar.advance(status=str(form))
    return swept


def _coding_of(form: SearchForm, task: EvaluationTask) -> Coding:
    if form.by is not None or not isinstance(form.first, Coding):
        raise InputError(
            f"{str(form)!r} is a way to search, and {task.name}, a task of the kind {task.kind}, does not search",
            field="forms", remedy="Leave it out, or give a retrieval task.",
        )  # fmt: skip
    return form.first


def _row(
    form: SearchForm,
    dimension: int,
    stored: float,
    scores: Scores,
    before: Sequence[SweptForm],
    cost: SearchCost | None,
    seed: int,
    resamples: int,
) -> SweptForm:
    change = change_from(before[0] if before else None, scores, resamples=resamples, seed=seed)
    return SweptForm(str(form), dimension, str(form), stored, scores, change, cost)


def _called(name: str, form: SearchForm) -> str:
    return name if form == _FULL else f"{name}, {form}"


def _speed(vectors: CompressedVectors, queries: npt.NDArray[np.float32]) -> float:
    """Queries a second of processor time, which what else a machine does hardly changes: a hundred at most, asked one
    after another, for ten documents each."""
    asked = queries[:_TIMED_QUERIES]
    started = time.process_time()
    for row in range(len(asked)):
        vectors.search(asked[row : row + 1], 10)
    return len(asked) / max(time.process_time() - started, 1e-6)
