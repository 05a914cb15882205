"""Hide words of raw texts and let the backbone guess them: BERT's objective, and LLM2Vec's for decoders.

It is a kind of training like any other here: what a step embeds is the states of the hidden words, and its loss is
their cross-entropy. Micro-batches, threads, gradient caching, ranks, checkpoints and exact resume are the loop's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from cosmith.data import RaggedTokens
from cosmith.errors import InputError
from cosmith.models import Encoder
from cosmith.models.fingerprint import add_weights
from cosmith.training.batch import length_told_as
from cosmith.training.batch_report import token_problems
from cosmith.training.distributed import ALONE, Ranks, start_ranks
from cosmith.training.encoding import Batch, Strategy
from cosmith.training.health import ProbeText
from cosmith.training.loop import run_job
from cosmith.training.mixing import key_of
from cosmith.training.plan import Plan
from cosmith.training.pretraining.language_head import DecoderHead, LanguageHead, word_loss
from cosmith.training.pretraining.masking import mask_tokens
from cosmith.training.pretraining.objective import HeadOrigin, Objective, head_of, objective_of
from cosmith.training.result import TrainingResult
from cosmith.training.run import Dev
from cosmith.training.settings import TrainingSettings
from cosmith.training.step import StepWork, lanes_of, shared_micro_batches, strategy_of
from cosmith.training.tuning import trainable

_MASKS = 7  # tells the seeds of masks from those of dropout


@dataclass(frozen=True)
class MaskedLanguageJob:
    """A run of masked language modelling that is ready to go; see :class:`cosmith.training.step.Job`.

    Attributes:
        encoder: Whose backbone learns.
        head: Turns states into words; dropped in the end.
        head_origin: Where it comes from.
        module: Both.
        pieces: The tokens of the texts, in pieces of the maximum length.
        plan: Which pieces each step takes.
        steps: How many steps.
        settings: What the user decided.
        objective: How they are guessed.
        mask_rate: The share of tokens to guess.
        strategy: How many graphs are kept.
        lanes: Threads that share a step.
    """

    encoder: Encoder
    head: LanguageHead | DecoderHead
    head_origin: HeadOrigin
    module: torch.nn.Module
    pieces: RaggedTokens
    plan: Plan
    steps: int
    settings: TrainingSettings
    objective: Objective
    mask_rate: float
    strategy: Strategy
    lanes: int

    @property
    def device(self) -> torch.device:
        """Where."""
        return self.encoder.device

    @property
    def facts(self) -> Mapping[str, Any]:
        """Where the head comes from: a new one knows no word yet, so that the loss begins high."""
        return {"head": self.head_origin}

    @property
    def probe(self) -> Sequence[ProbeText]:
        """No text is followed: what is learnt shows in words, not yet in embeddings of texts."""
        return []

    def compute_in(self) -> AbstractContextManager[object]:
        """The context of the run's precision."""
        return self.encoder.compute_in(self.settings.precision, remember=False)

    def work(self, step: int, ranks: Ranks = ALONE) -> StepWork:
        """What step number ``step`` does."""
        rows = self.plan.at(step).rows
        tokenizer = self.encoder.tokenizer.tokenizer
        words = _words(self.encoder)
        masked = mask_tokens(
            self.pieces.take(rows),
            special=np.array(sorted(set(tokenizer.all_special_ids)), dtype=np.int64),
            mask=self.objective.mask,
            vocabulary=len(tokenizer),
            rate=self.mask_rate,
            seed=key_of(self.settings.seed, step, _MASKS),
            first=not self.objective.shift,
        )
        tokens, offsets = masked.tokens, masked.tokens.offsets
        text_of = np.searchsorted(offsets, masked.positions, side="right") - 1
        first = np.searchsorted(masked.positions, offsets)  # of each text, its first hidden word

        def embed(numbers: Batch) -> torch.Tensor:
            texts = text_of[numbers][np.flatnonzero(np.diff(text_of[numbers], prepend=-1))]
            part = tokens.take(texts)
            starts = np.repeat(part.offsets[:-1] - offsets[texts], np.diff(first)[texts])
            places = masked.positions[numbers] + starts - self.objective.shift
            return self.encoder.token_states(part)[torch.as_tensor(places, device=self.device)]

        budget = self.settings.micro_batch_tokens
        lengths = tokens.lengths
        batches = shared_micro_batches(lengths, budget, self.encoder, ranks.world * self.lanes)
        hidden = [np.concatenate([np.arange(first[text], first[text + 1]) for text in batch]) for batch in batches]
        kept = [place for place, numbers in enumerate(hidden) if len(numbers)]
        return StepWork(
            source="texts",
            epoch=self.plan.epoch(step + 1),
            rows=len(rows),
            tokens=len(tokens.values),
            embed=embed,
            batches=[hidden[place] for place in kept],
            costs=[int(lengths[batches[place]].sum()) for place in kept],
            loss=word_loss(
                self.head,
                words,
                torch.as_tensor(masked.labels, device=self.device),
                rows=ranks.rows(len(masked.labels)),
                compute_in=self.compute_in,
            ),
            describe=lambda number: self._describe(rows, tokens, int(text_of[number])),
            problems=lambda: [
                f"{self._describe(rows, tokens, number)} {what}"
                for number, what in token_problems(tokens, len(tokenizer))
            ],
        )

    def _describe(self, rows: NDArray[np.int64], tokens: RaggedTokens, number: int) -> str:
        """A piece of text, for people."""
        values = tokens.values[tokens.offsets[number] : tokens.offsets[number + 1]]
        text = self.encoder.tokenizer.tokenizer.decode(values[:20].tolist())
        return f"piece {int(rows[number])} of the texts, {text!r}"


def pretrain(
    encoder: Encoder,
    texts: Sequence[str],
    settings: TrainingSettings | None = None,
    *,
    mask_rate: float = 0.3,
    head: str | Path | None = None,
    folder: str | Path | None = None,
    dev: Dev | None = None,
) -> Encoder:
    """Let the backbone learn the language of the texts; :func:`pretrain_with_result` without the story."""
    return pretrain_with_result(
        encoder, texts, settings, mask_rate=mask_rate, head=head, folder=folder, dev=dev
    ).encoder


def pretrain_with_result(
    encoder: Encoder,
    texts: Sequence[str],
    settings: TrainingSettings | None = None,
    *,
    mask_rate: float = 0.3,
    head: str | Path | None = None,
    folder: str | Path | None = None,
    dev: Dev | None = None,
) -> TrainingResult[Encoder]:
    """Let the backbone learn the language of the texts, and tell what came of it.

    Args:
        encoder: Where to start; it is left as it is. The head that turns states into words is dropped in the end: for
            an encoder it is made anew, a decoder has its own.
        texts: Whole texts; those longer than ``settings.max_document_length`` (by default the model's maximum) make
            several pieces.
        settings: How; of what concerns losses and queries nothing is used. Rows and batches are of pieces.
        mask_rate: The share of tokens to guess. BERT took 0.15; more is better for models that are not tiny
            (Wettig et al., arXiv:2202.08005).
        head: For a decoder whose head is not tied to its input embeddings (Mistral, Llama 3): the language model, a
            folder or hub id, whose head it goes on with. None: the one that the encoder was loaded from; where that was
            saved without one, a new one is begun. With an adapter a head that was read stays as it is.
        folder: As in :func:`cosmith.training.train_with_result`.
        dev: Likewise; without one the last weights are the result.

    Raises:
        InputError: When there is no text, an encoder's tokenizer has no mask token, a decoder's tokens cannot see
            ahead, the model that is named has no head for its words, or a setting makes no sense.
        Interrupted: As there.
    """
    settings = settings or TrainingSettings()
    ranks, device = start_ranks(encoder.device)
    job = prepare(trainable(encoder.copy().to(device), settings, backbone_only=True), texts, settings, mask_rate, head)
    pieces = xxhash.xxh3_128(job.pieces.values.tobytes())
    pieces.update(job.pieces.offsets.tobytes())
    identity: dict[str, Any] = {
        "settings": settings.identity(),
        "objective": {"kind": job.objective.kind, "mask_rate": mask_rate},
        "texts": pieces.hexdigest(),
        "model": encoder.fingerprint(),
    }
    own = job.head.weight if isinstance(job.head, DecoderHead) else None
    if own is not None:
        digest = xxhash.xxh3_128()
        add_weights(digest, job.head)
        identity["objective"]["head"] = digest.hexdigest()
    ranks.check_same("model, texts and settings", repr(identity), device)
    place = None if folder is None else Path(folder)
    words = () if own is not None else (_words(job.encoder),)
    return run_job(job, encoder, identity, ranks=ranks, folder=place, dev=dev, used_by_loss=words)


def prepare(
    encoder: Encoder, texts: Sequence[str], settings: TrainingSettings, mask_rate: float, head: str | Path | None = None
) -> MaskedLanguageJob:
    """Check that encoder, texts and settings fit each other, and tokenise."""
    if not 0 < mask_rate < 1:
        raise InputError(f"must lie between 0 and 1, not {mask_rate}", field="mask_rate")
    objective = objective_of(encoder)
    longest = min(settings.max_document_length or encoder.max_length, encoder.max_length)
    with length_told_as("max_document_length", settings.max_document_length):
        pieces = encoder.tokenizer.pieces(texts, longest)
    if not len(pieces):
        raise InputError("hold no token to learn from", field="texts", remedy="Give texts with words.")
    words = _words(encoder)
    made, origin = head_of(encoder, objective, words, settings.seed, head)
    if settings.adapter is not None and origin == "read":
        made.requires_grad_(False)  # as what it was trained with is, and as a tied one
    plan = Plan((len(pieces),), (min(settings.batch_size, len(pieces)),), settings.seed)
    return MaskedLanguageJob(
        encoder=encoder,
        head=made,
        head_origin=origin,
        module=torch.nn.ModuleDict({"encoder": encoder.module, "head": made}),
        pieces=pieces,
        plan=plan,
        steps=settings.steps or plan.steps(1.0 if settings.epochs is None else settings.epochs),
        settings=settings,
        objective=objective,
        mask_rate=mask_rate,
        strategy=strategy_of(settings, encoder.device),
        lanes=lanes_of(encoder),
    )


def _words(encoder: Encoder) -> torch.nn.Parameter:
    """The input embeddings [V, width], which also score the words."""
    backbone: Any = encoder.module["backbone"]
    weight: torch.nn.Parameter = backbone.get_input_embeddings().weight
    return weight
