"""Clustering: do the clusters that k-means finds among vectors agree with the labels?"""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cosmith.errors import InputError
from cosmith.evaluation.contributions import bounded_mean, v_measure_contributions
from cosmith.evaluation.scikit import scikit
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.task import OfData, TaskTexts, encode_unscaled_texts, scores_from, symmetric_prompt
from cosmith.phrases import counted_as
from cosmith.progress import track

if TYPE_CHECKING:
    from cosmith.data.test_sets import LabelledTexts
    from cosmith.evaluation.scores import Scores
    from cosmith.models import TextEncoder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MTEB_SEED = 42
_BATCH = 512


@dataclass(frozen=True)
class ClusteringTask(OfData):
    """Labelled texts as a task, by MTEB's protocol for clustering (of its second version).

    At most ``embed`` texts are drawn and encoded. Ten times, ``sample`` of them are drawn with replacement and put
    into as many clusters as there are labels by mini-batch k-means; values are means over the ten. Where all texts
    have one vector there is one cluster, which scores 0.

    Attributes:
        name: What the test set is called.
        data: The texts and their labels.
        embed: How many texts to encode; None: all, in their order.
        sample: How many to cluster at a time.
        experiments: How many times.
        main: The metric that counts.

    Raises:
        InputError: When there are no clusters to be found: texts, or those drawn of them, all have one label or one
            each, or the texts clustered at a time are no more than the labels.
    """

    name: str
    data: LabelledTexts
    embed: int | None = 16_384
    sample: int = 16_384
    experiments: int = 10
    main: str = "v_measure"
    kind: ClassVar[Kind] = "clustering"

    def __post_init__(self) -> None:
        for field, value in (("embed", self.embed), ("sample", self.sample), ("experiments", self.experiments)):
            if value is not None and value < 1:
                raise InputError(f"must be at least 1, got {value}", field=field)
        found = len(self.data.classes)
        if found < 2 or found == len(self.data):
            told = "all have one label" if found < 2 else "each have a label of their own"
            raise InputError(
                f"the {len(self.data):,} texts of {self.name!r} {told}, so there are no clusters to be found",
                field="label",
                remedy="Give texts of two labels or more, several of a label.",
            )
        drawn = [self.data.labels[number] for number in self._draw()[0]]
        count = len(set(drawn))
        if count < 2 or count == len(drawn):
            told = "there is one label" if count < 2 else "each has a label of its own"
            raise InputError(
                f"what is drawn of {self.name!r}, {counted_as(len(drawn), 'texts')}, cannot be clustered: {told}",
                field="embed", remedy="Draw more of them.",
            )  # fmt: skip
        if self.sample <= count:
            raise InputError(
                f"{counted_as(self.sample, 'texts')} of {self.name!r} at a time cannot be put into"
                f" {count:,} clusters, one for each label", field="sample",
                remedy=f"Cluster more than {count:,} at a time.",
            )  # fmt: skip

    def texts(self) -> tuple[TaskTexts, ...]:
        """All that an encoder has to read."""
        chosen = [self.data.texts[number] for number in self._draw()[0]]
        return (TaskTexts("texts", chosen, symmetric_prompt(self.instruction)),)

    def _draw(self) -> tuple[list[int], random.Random]:
        """The texts that are encoded, and the random state from which MTEB goes on to draw the samples."""
        rng, everything = random.Random(_MTEB_SEED), range(len(self.data))
        if self.embed is None:
            return list(everything), rng
        return rng.sample(everything, k=min(len(everything), self.embed)), rng

    def evaluate(
        self,
        encoder: TextEncoder,
        *,
        dim: int | None = None,
        seed: int = 0,
        resamples: int = 10_000,
        model: str | None = None,
    ) -> Scores:
        """Score an encoder; arguments and errors as :meth:`EvaluationTask.evaluate`.

        Values: ``v_measure``, its spread over the samples ``v_measure_std``, ``ami``, ``ari``, ``purity``, and ``nmi``
        (normalised by the arithmetic mean of the entropies, and so the same number as ``v_measure``).
        """
        chosen, rng = self._draw()
        vectors = encode_unscaled_texts(encoder, self.texts()[0], instruction=self.instruction, dim=dim)
        number_of = {label: number for number, label in enumerate(self.data.classes)}
        labels = np.array([number_of[self.data.labels[number]] for number in chosen])
        added = np.zeros(len(chosen))
        scored = []
        with track("Clustering", self.experiments, "samples") as bar:
            for _ in range(self.experiments):
                sample = np.array(rng.choices(range(len(chosen)), k=self.sample))
                clusters = clustered(vectors[sample], len(np.unique(labels)))
                scored.append(agreement(labels[sample], clusters))
                value = scored[-1]["v_measure"]
                influence = v_measure_contributions(labels[sample], clusters) - value
                # A text drawn several times adds for each time, in proportion to how often that is to be expected.
                added += value + np.bincount(sample, influence, len(chosen)) * len(chosen) / self.sample
                bar.advance()
        values = {metric: float(np.mean([each[metric] for each in scored])) for metric in scored[0]}
        values["v_measure_std"] = float(np.std([each["v_measure"] for each in scored]))
        added /= self.experiments
        return scores_from(
            self, encoder, values=values, per_item={"v_measure": added}, item_ids=tuple(map(str, chosen)), unit="texts",
            seed=seed, resamples=resamples, model=model, statistics={"v_measure": bounded_mean(added)},
        )  # fmt: skip


def clustered(vectors: npt.NDArray[np.float32], count: int) -> Ints:
    """The cluster of each vector ``[n, D]``, one of ``count`` (at most n), by mini-batch k-means with MTEB's settings:
    batches of 512, one start by k-means++, seed 42."""
    model = scikit("cluster").MiniBatchKMeans(
        n_clusters=count, batch_size=_BATCH, init="k-means++", n_init=1, random_state=_MTEB_SEED
    )
    with warnings.catch_warnings():
        # Fewer different vectors than clusters: the score says so, too.
        warnings.simplefilter("ignore", scikit("exceptions").ConvergenceWarning)
        return np.asarray(model.fit_predict(vectors), dtype=np.int64)


def agreement(labels: Ints, clusters: Ints) -> Mapping[str, float]:
    """How well clusters agree with labels, both ``[n]``: V-measure (Rosenberg & Hirschberg 2007), normalised and
    adjusted mutual information, adjusted Rand index (Hubert & Arabie 1985), purity (the share of texts whose label is
    the commonest of their cluster)."""
    metrics = scikit("metrics")
    table = metrics.cluster.contingency_matrix(labels, clusters)
    return {
        "v_measure": float(metrics.v_measure_score(labels, clusters)),
        "nmi": float(metrics.normalized_mutual_info_score(labels, clusters)),
        "ami": float(metrics.adjusted_mutual_info_score(labels, clusters)),
        "ari": float(metrics.adjusted_rand_score(labels, clusters)),
        "purity": float(table.max(axis=0).sum() / len(labels)),
    }
