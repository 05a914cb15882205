"""A student after its teacher: texts without labels, and the vectors that another model gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cosmith.data import SourceSettings, self_pairs
from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.training.contrastive import train_with_result
from cosmith.training.result import TrainingResult
from cosmith.training.settings import TrainingSettings

LOSS = "embedding-mse"
_DEV_SHARE, _DEV_TEXTS = 0.05, 500


def distil(
    student: Encoder,
    teacher: Encoder,
    texts: Sequence[str],
    settings: TrainingSettings | None = None,
    *,
    folder: str | Path | None = None,
) -> TrainingResult[Encoder]:
    """Train a student to give texts the vectors that a teacher gives them (the loss ``embedding-mse``: of unit vectors
    the squared error is 2 - 2 cos, over the dimensions).

    A twentieth of the texts, at most 500, is not trained on: by the mean cosine to the teacher there the best weights
    are chosen, mixtures with the student as it was among them, so that what comes back is not farther from the
    teacher. Texts are read under the prompts of queries and of documents.

    Args:
        student: Where to start; it is left as it is.
        teacher: Whose vectors; as wide as the student's.
        texts: What to learn on, like those that will be encoded; equal ones count once.
        settings: How to train, but for the loss; the maximum length of documents is that of all texts. None: one epoch
            in steps of 64 at the trainer's learning rate.
        folder: Where checkpoints and metrics go, and where an interrupted run goes on from; None: nothing is written.

    Raises:
        InputError: When there are fewer than 2 texts, the vectors differ in length, or settings do not fit.
        Interrupted, CosmithError: As :func:`cosmith.training.train_with_result`.
    """
    if student.dimension != teacher.dimension:
        raise InputError(
            f"the student's vectors have {student.dimension} dimensions, the teacher's {teacher.dimension}",
            field="teacher", remedy="Shorten a student's vectors after it was distilled, not before.",
        )  # fmt: skip
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < 2:
        raise InputError("are too few to learn from", field="texts", remedy="Give at least 2 different ones.")
    settings = settings or TrainingSettings()
    limit = settings.max_document_length or settings.max_query_length  # one for both, or texts would be read twice
    settings = replace(settings, loss=LOSS, max_query_length=limit, max_document_length=limit)
    order = np.random.default_rng(settings.seed).permutation(len(distinct)).tolist()
    held = max(1, min(_DEV_TEXTS, round(_DEV_SHARE * len(distinct))))
    dev, learnt = ([distinct[number] for number in part] for part in (order[:held], order[held:]))
    source = self_pairs("texts", learnt, settings=SourceSettings(task="retrieval", loss=LOSS))
    wanted = teacher.encode(dev, prompt="document")

    def nearness(encoder: Encoder) -> float:
        return float((encoder.encode(dev, prompt="document") * wanted).sum(1).mean())

    return train_with_result(student, [source], settings, folder=folder, dev=nearness, teacher=teacher)
