"""The losses of pairs, triplets and teachers as data; each has a function of its own (see docs/losses.md).

This module needs no torch, so that recipes can be checked without it.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from cosmith.losses.spec import Need, check_choice, check_number

Distance = Literal["cosine", "euclidean"]
Triplets = Literal["own", "all", "hard"]
Target = Literal["own", "query"]


@dataclasses.dataclass(frozen=True)
class TripletSpec:
    """A triplet loss; the formula is at :func:`cosmith.losses.triplet`.

    Attributes:
        triplets: ``own``: each positive with each negative of its row; by label: ``all`` triplets of the step, or
            each text with its ``hard``-est positive and negative.
        margin: By how much a negative is to be farther than a positive; None: the soft margin, for ``own`` and
            ``hard`` only, since of ``all`` triplets it has no mean over the active ones.
        distance: ``cosine``: 1 - cos; ``euclidean``: that of the unit vectors.

    Raises:
        InputError: When a value cannot be used.
    """

    triplets: Triplets = "own"
    margin: float | None = 0.2
    distance: Distance = "cosine"

    def __post_init__(self) -> None:
        check_choice(self.triplets, "triplets", get_args(Triplets))
        check_choice(self.distance, "distance", get_args(Distance))
        if self.margin is not None or self.triplets == "all":
            check_number(self.margin, "margin", least=0.0)

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "negatives"}) if self.triplets == "own" else frozenset({"labels"})


@dataclasses.dataclass(frozen=True)
class MarginSpec:
    """The margin contrastive loss, :func:`cosmith.losses.margin_contrastive`.

    Attributes:
        margin: The distance 1 - cos beyond which a negative costs nothing.

    Raises:
        InputError: When a value cannot be used.
    """

    margin: float = 0.5

    def __post_init__(self) -> None:
        check_number(self.margin, "margin", above=0.0)

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "negatives"})


@dataclasses.dataclass(frozen=True)
class OnlineMarginSpec(MarginSpec):
    """The margin contrastive loss on the hard pairs of a step only, :func:`cosmith.losses.online_contrastive`."""


@dataclasses.dataclass(frozen=True)
class CosineMseSpec:
    """The squared error of the cosine, :func:`cosmith.losses.cosine_mse`."""

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "scores"})


@dataclasses.dataclass(frozen=True)
class CosentSpec:
    """The order of graded pairs by their cosine, :func:`cosmith.losses.cosent`.

    Attributes:
        temperature: τ > 0; sentence-transformers' ``scale`` is 1/τ.

    Raises:
        InputError: When a value cannot be used.
    """

    temperature: float = 0.05

    def __post_init__(self) -> None:
        check_number(self.temperature, "temperature", above=0.0)

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "scores"})


@dataclasses.dataclass(frozen=True)
class AngleSpec(CosentSpec):
    """The order of graded pairs by their angle in complex space, :func:`cosmith.losses.angle`."""


@dataclasses.dataclass(frozen=True)
class MarginMseSpec:
    """The squared error of score margins, :func:`cosmith.losses.margin_mse`.

    Attributes:
        scale: What the cosines are multiplied with, to reach the scale of the teacher's scores.

    Raises:
        InputError: When a value cannot be used.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number(self.scale, "scale", above=0.0)

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "negatives", "scores"})


@dataclasses.dataclass(frozen=True)
class ScoreKlSpec:
    """The divergence from a teacher's distribution over a row's candidates, :func:`cosmith.losses.score_kl`.

    Attributes:
        temperature: Of the student's cosines, > 0.
        teacher_temperature: Of the teacher's scores, > 0.

    Raises:
        InputError: When a value cannot be used.
    """

    temperature: float = 0.05
    teacher_temperature: float = 1.0

    def __post_init__(self) -> None:
        check_number(self.temperature, "temperature", above=0.0)
        check_number(self.teacher_temperature, "teacher_temperature", above=0.0)

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"positives", "negatives", "scores"})


@dataclasses.dataclass(frozen=True)
class EmbeddingMseSpec:
    """The squared error of the vectors themselves, :func:`cosmith.losses.embedding_mse`.

    Attributes:
        target: ``own``: every text is to have the teacher's vector of itself; ``query``: a row's query and its
            positives are all to have the teacher's vector of the query, which is how a student that reads several
            languages follows a teacher that reads one.

    Raises:
        InputError: When a value cannot be used.
    """

    target: Target = "own"

    def __post_init__(self) -> None:
        check_choice(self.target, "target", get_args(Target))

    @property
    def needs(self) -> frozenset[Need]:
        """What the rows of a step must have."""
        return frozenset({"teacher"} if self.target == "own" else {"teacher", "positives"})
