"""A model that reads a query and a document together and gives one score: slower than vectors, and sharper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xxhash

from cosmith.errors import InputError
from cosmith.models.adapters import refuse_adapter
from cosmith.models.attention import set_attention
from cosmith.models.backbone import described
from cosmith.models.cross_encoder.folder import (
    QWEN3_RERANKER_TEMPLATE,
    CrossEncoderSpec,
    knows_roles,
    read_cross_encoder,
    write_cross_encoder,
)
from cosmith.models.cross_encoder.pairs import Pair, PairTokenizer, PairTokens, SegmentTokenizer, TemplateTokenizer
from cosmith.models.cross_encoder.scoring import classifier_scores, word_scores
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.encoder import Encoder
from cosmith.models.fingerprint import add_weights
from cosmith.models.inference import encode_texts
from cosmith.models.lengths import longest_input
from cosmith.models.module import ACTIVATIONS
from cosmith.models.new_heads import parts_of, with_new_head
from cosmith.models.packaged import find_model
from cosmith.models.precision import Precision, resolve_precision
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.trainable_model import TrainableModel


class CrossEncoder(TrainableModel):
    """A trainable scorer of (query, document) pairs.

    Args:
        model: A transformers model with its head: one label, or the scores of words.
        tokenizer: A transformers fast tokenizer.
        spec: What else the model's folder says.
        name: What to call the model in tables.
        precision: In what to compute when scoring, as for :class:`~cosmith.models.Encoder`.

    Attributes:
        module: Backbone and head as one :class:`torch.nn.Module`, weights in float32.
        variable_length: Whether pairs run without padding (known families) or as padded batches.
    """

    spec: CrossEncoderSpec

    def __init__(
        self, model: Any, tokenizer: Any, spec: CrossEncoderSpec, *, name: str, precision: Precision = "float32"
    ) -> None:
        self._model, self.tokenizer = model, TextTokenizer(tokenizer)
        self.name, self.precision = name, precision
        use_fast_dropout(model)
        self.variable_length = set_attention(model)
        if spec.words is not None and not knows_roles(tokenizer.chat_template):
            tokenizer.chat_template = QWEN3_RERANKER_TEMPLATE
        make = SegmentTokenizer if spec.words is None else TemplateTokenizer
        self._read: PairTokenizer = make(tokenizer)
        declared = spec.max_length or int(tokenizer.model_max_length)
        self.spec = replace(spec, max_length=longest_input(model.config, declared))
        tokenizer.model_max_length = self.max_length  # where sentence-transformers looks for it
        self.module = parts_of(model)
        self.module.eval()

    # ---------------------------------------------------------------- making, loading, saving

    @classmethod
    def load(cls, name_or_folder: str | Path, *, precision: Precision = "float32", device: str = "cpu") -> CrossEncoder:
        """Load a cross-encoder: a folder (Cosmith, sentence-transformers, transformers) or a hub id.

        Weights come from safetensors only; code in a model folder is never run.

        Raises:
            InputError: When there is no such model, it is not whole, or it gives no score for a pair.
        """
        resolve_precision(precision, torch.device(device))  # a wrong one shall fail before anything is loaded
        model, tokenizer, spec = read_cross_encoder(find_model(name_or_folder))
        return cls(model, tokenizer, spec, name=Path(str(name_or_folder)).name, precision=precision).to(device)

    @classmethod
    def from_encoder(cls, encoder: Encoder, *, seed: int = 0) -> CrossEncoder:
        """A new cross-encoder on an encoder's backbone, with a head that nobody has trained yet.

        Args:
            encoder: Left as it is. Its pooling and prompts play no part.
            seed: Of the head; torch's generators are left as they were.

        Raises:
            InputError: When the encoder is static, has an adapter, or is of a family without such a head.
        """
        model, tokenizer = with_new_head(encoder, "AutoModelForSequenceClassification", seed, num_labels=1)
        spec = CrossEncoderSpec(max_length=encoder.max_length)
        return cls(model, tokenizer, spec, name=encoder.name, precision=encoder.precision).to(str(encoder.device))

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write the model as a sentence-transformers CrossEncoder folder, atomically.

        Args:
            folder: Where; an older model there is replaced as a whole.
            card: The text of its README.md (the model card).

        Raises:
            InputError: When the folder holds something else than a model, or an adapter is not merged.
        """
        refuse_adapter(self._backbone, "a cross-encoder")
        return write_cross_encoder(folder, self._model, self.tokenizer.tokenizer, self.spec, card)

    # ---------------------------------------------------------------- what it is

    def fingerprint(self) -> str:
        """A hash over weights, configuration, tokenizer, template, head and maximum length."""
        digest = xxhash.xxh3_128(self.tokenizer.fingerprint().encode())
        template = self.tokenizer.tokenizer.chat_template if self.spec.words else None
        digest.update(repr((replace(self.spec, prompts={}), template, described(self._model.config))).encode())
        add_weights(digest, self.module)
        return digest.hexdigest()

    # ---------------------------------------------------------------- pairs to scores

    def tokenize(self, pairs: Sequence[Pair], *, instruction: str = "", max_length: int | None = None) -> PairTokens:
        """Tokenise (query, document) pairs, each as the model wants to read it.

        Args:
            pairs: Any number.
            instruction: What a language model is told to look for; classifiers read none.
            max_length: Fewer tokens of a pair than the model's own maximum.
        """
        limit = self.max_length if max_length is None else min(max_length, self.max_length)
        return self._read(pairs, limit, instruction or self.spec.instruction)

    def logits(self, pairs: PairTokens) -> torch.Tensor:
        """One forward of these pairs, with graph when gradients are on: what losses are made of.

        Args:
            pairs: The pairs of one micro-batch, best sorted by length.

        Returns:
            float32 ``[len(pairs)]``, before the activation.
        """
        if len(pairs) == 0:
            return torch.zeros(0, device=self.device)
        words, tokenizer = self.spec.words, self.tokenizer.tokenizer
        if words is not None:
            return word_scores(self._model, pairs, tokenizer, words, flat=self.variable_length).float()
        return classifier_scores(self._model, pairs, tokenizer, flat=self.variable_length).float()

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        max_length: int | None = None,
        activated: bool = True,
        show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """How well each document answers its query; equal pairs are scored once, pairs of similar length together.

        Args:
            queries: ``[n]`` texts.
            documents: ``[n]`` texts.
            instruction: What a language model is told to look for; classifiers read none.
            max_length: Fewer tokens of a pair than the model's own maximum.
            activated: Whether scores go through the model's activation (mostly a sigmoid), as they are shown; False:
                the logits, as another model learns from them.
            show_progress: What to call this step in the progress display; None shows nothing.
            token_budget: The most tokens in a micro-batch; None: by device.

        Returns:
            float32 ``[n]``, higher is better.

        Raises:
            InputError: When there are not as many documents as queries.
        """
        if isinstance(queries, str) or isinstance(documents, str) or len(queries) != len(documents):
            raise InputError("must be two lists of texts, equally long", field="documents",
                             remedy="Give a query for each document; rank() takes one query for all.")  # fmt: skip
        activation = ACTIVATIONS[self.spec.activation if activated else "Identity"]()

        def scored(pairs: PairTokens) -> np.ndarray:
            finished: np.ndarray = activation(self.logits(pairs)).cpu().numpy()[:, None]
            return finished

        return encode_texts(
            list(zip(queries, documents, strict=True)),
            tokenize=partial(self.tokenize, instruction=instruction, max_length=max_length),
            embed=scored,
            module=self.module,
            width=1,
            padded=not self.variable_length,
            context=self.compute_in,
            token_budget=token_budget,
            show_progress=show_progress,
            called="pairs",
        )[:, 0]

    def rank(
        self, query: str, documents: Sequence[str], *, top: int | None = None, instruction: str = ""
    ) -> list[tuple[int, float]]:
        """Documents by their score for one query.

        Args:
            query: The query.
            documents: Any number of texts.
            top: Only the best so many; None: all.
            instruction: As in :meth:`score`.

        Returns:
            (number of the document, from 0; score), best first; of equal ones the first comes first.
        """
        scores = self.score([query] * len(documents), documents, instruction=instruction)
        order = np.argsort(-scores, kind="stable")[:top]
        return [(int(number), float(scores[number])) for number in order]
