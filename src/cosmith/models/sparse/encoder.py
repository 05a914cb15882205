"""Learned sparse vectors: a weight for every word of the vocabulary, zero for nearly all (SPLADE).

A masked language model says at each place of a text which words could stand there. The weight of a word is the greatest
of log(1 + relu(score)) over the places (Formal et al., arXiv:2107.05720, equation 1, with the max of arXiv:2109.10086).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xxhash

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.adapters import refuse_adapter
from cosmith.models.attention import set_attention
from cosmith.models.backbone import described
from cosmith.models.batched import distinct_of
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.encoder import Encoder
from cosmith.models.fingerprint import add_weights
from cosmith.models.forward import padded_arguments, run
from cosmith.models.inference import encode_ragged
from cosmith.models.lengths import longest_input
from cosmith.models.new_heads import parts_of, with_new_head
from cosmith.models.packaged import find_model
from cosmith.models.precision import Precision, at_least_float32, resolve_precision
from cosmith.models.reading import ReadsTexts, TextReader
from cosmith.models.sparse.folder import SparseSpec, read_sparse_encoder, write_sparse_encoder
from cosmith.models.sparse.static_queries import StaticQueries, inverse_document_frequencies
from cosmith.models.sparse.vectors import SparseVectors
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.trainable_model import TrainableModel

_HEADS = {"bert": "cls", "roberta": "lm_head", "xlm-roberta": "lm_head"}  # that take states without padding


class SparseEncoder(ReadsTexts, TrainableModel):
    """A trainable encoder whose vectors have a dimension for each token of its vocabulary.

    Args:
        model: A transformers model for masked language modelling.
        tokenizer: A transformers fast tokenizer.
        spec: What else the model's folder says.
        name: What to call the model in tables.
        precision: In what to compute when encoding, as for :class:`~cosmith.models.Encoder`.
        static: The weights of queries and their tokenizer, where queries are not read by the model.

    Attributes:
        module: Backbone, head and the weights of queries as one :class:`torch.nn.Module`, weights in float32.
        variable_length: Whether texts run without padding (known families) or as padded batches.
    """

    spec: SparseSpec

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        spec: SparseSpec,
        *,
        name: str,
        precision: Precision = "float32",
        static: tuple[StaticQueries, Any] | None = None,
    ) -> None:
        self._model, self.tokenizer = model, TextTokenizer(tokenizer)
        self.name, self.precision = name, precision
        use_fast_dropout(model)
        self.variable_length = set_attention(model) and model.config.model_type in _HEADS
        declared = spec.max_length or int(tokenizer.model_max_length)
        self.spec = replace(spec, max_length=longest_input(model.config, declared))
        tokenizer.model_max_length = self.max_length  # where sentence-transformers looks for it
        self.module = parts_of(model)
        self._queries, self._query_tokenizer = None, self.tokenizer
        if static is not None:
            self._queries, self._query_tokenizer = static[0], TextTokenizer(static[1], special_tokens=False)
            self.module["queries"] = self._queries
        self.module.eval()

    # ---------------------------------------------------------------- making, loading, saving

    @classmethod
    def load(
        cls, name_or_folder: str | Path, *, precision: Precision = "float32", device: str = "cpu"
    ) -> SparseEncoder:
        """Load a sparse encoder, or a masked language model to make one of: a folder or a hub id.

        Weights come from safetensors only; code in a model folder is never run.

        Raises:
            InputError: When there is no such model, it is not whole, or it has no head that scores words.
        """
        resolve_precision(precision, torch.device(device))  # a wrong one shall fail before anything is loaded
        model, tokenizer, spec, static = read_sparse_encoder(find_model(name_or_folder))
        name = Path(str(name_or_folder)).name
        return cls(model, tokenizer, spec, name=name, precision=precision, static=static).to(device)

    @classmethod
    def from_encoder(cls, encoder: Encoder, *, seed: int = 0) -> SparseEncoder:
        """A new sparse encoder on an encoder's backbone, with a head that nobody has trained yet.

        A masked language model of the same family is the better start: its head knows words already.

        Args:
            encoder: Left as it is; its prompts are kept, its pooling plays no part.
            seed: Of the head; torch's generators are left as they were.

        Raises:
            InputError: When the encoder is static, has an adapter, or is of a family without such a head.
        """
        model, tokenizer = with_new_head(encoder, "AutoModelForMaskedLM", seed)
        prompts, default = dict(encoder.prompts), encoder.spec.default_prompt
        spec = SparseSpec(max_length=encoder.max_length, prompts=prompts, default_prompt=default)
        return cls(model, tokenizer, spec, name=encoder.name, precision=encoder.precision).to(str(encoder.device))

    def with_static_queries(self, documents: Sequence[str] | None = None) -> SparseEncoder:
        """A copy whose queries are not read by the model: each token has a weight, and a query those of its tokens.

        Args:
            documents: The weights begin with how rare each token is among these
                (:func:`~cosmith.models.sparse.static_queries.inverse_document_frequencies`); None: with 1.

        Raises:
            InputError: When there are no documents.
        """
        if documents is not None and not len(documents):
            raise InputError("there are none to see in how rare a word is", field="documents",
                             remedy="Give some, or leave them out: all weights begin with 1.")  # fmt: skip
        words = copy.deepcopy(self.tokenizer.tokenizer)
        bare = TextTokenizer(words, special_tokens=False)
        weight = torch.ones(self.dimension)
        if documents is not None:
            weight = inverse_document_frequencies(documents, bare, self.dimension)
        model, static = copy.deepcopy(self._model), StaticQueries(weight)
        made = SparseEncoder(model, copy.deepcopy(self.tokenizer.tokenizer), self.spec, name=self.name,
                             precision=self.precision, static=(static, words))  # fmt: skip
        return made.to(self.device)

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write the model as a sentence-transformers SparseEncoder folder, atomically.

        Args:
            folder: Where; an older model there is replaced as a whole.
            card: The text of its README.md (the model card).

        Raises:
            InputError: When the folder holds something else than a model, or an adapter is not merged.
        """
        refuse_adapter(self._backbone, "a sparse encoder")
        static = None if self._queries is None else (self._queries, self._query_tokenizer.tokenizer)
        return write_sparse_encoder(folder, self._model, self.tokenizer.tokenizer, self.spec, card, static)

    # ---------------------------------------------------------------- what it is

    @property
    def dimension(self) -> int:
        """The length of a vector: the size of the vocabulary."""
        return int(self._model.config.vocab_size)

    @property
    def static_queries(self) -> StaticQueries | None:
        """The weights of queries, where they are not read by the model."""
        return self._queries

    def fingerprint(self) -> str:
        """A hash over weights, configuration, tokenizer, pooling, prompts and maximum length."""
        digest = xxhash.xxh3_128(self.tokenizer.fingerprint().encode())
        said = (replace(self.spec, prompts={}), sorted(self.prompts.items()), described(self._model.config))
        digest.update(repr(said).encode())
        if self._queries is not None:
            digest.update(self._query_tokenizer.fingerprint().encode())
        add_weights(digest, self.module)
        return digest.hexdigest()

    # ---------------------------------------------------------------- texts to vectors

    def _reader(self, prompt: str | None) -> TextReader:
        """Where queries have weights of their own, what reads those is meant for :meth:`embed_queries`."""
        words = self._query_tokenizer if self._reads_queries(prompt) else self.tokenizer
        return TextReader(words, self.prompts, self.spec.default_prompt, self.max_length)

    def _reads_queries(self, prompt: str | None) -> bool:
        return self._queries is not None and (prompt or self.spec.default_prompt) == "query"

    def embed_queries(self, tokens: RaggedTokens) -> torch.Tensor:
        """The vectors of queries that have weights of their own, as :meth:`embed` gives those of documents.

        Args:
            tokens: Tokenised with the prompt ``query``.

        Returns:
            float32 ``[len(tokens), dimension]``.
        """
        assert self._queries is not None
        vectors: torch.Tensor = self._queries(tokens)
        return vectors

    def embed(self, tokens: RaggedTokens) -> torch.Tensor:
        """One forward of these texts, with graph when gradients are on.

        Args:
            tokens: The texts of one micro-batch, best sorted by length.

        Returns:
            float32 ``[len(tokens), dimension]``, none below zero.
        """
        if len(tokens) == 0:
            return torch.zeros(0, self.dimension, device=self.device)
        scores = torch.split(self._word_scores(tokens), tokens.lengths.tolist())
        if self.spec.pooling == "max":  # what comes after it keeps order, so that it is done once a text
            return self._saturated(torch.stack([of_text.amax(0) for of_text in scores])).float()
        return torch.stack([self._saturated(of_text).sum(0) for of_text in scores]).float()

    def _word_scores(self, tokens: RaggedTokens) -> torch.Tensor:
        """The scores of all words at all places, text after text: ``[tokens, dimension]``."""
        if self.variable_length:
            states = run(self._model.base_model, tokens, self.tokenizer.tokenizer, flat=True).states
            scores: torch.Tensor = getattr(self._model, _HEADS[self._model.config.model_type])(states)
            return scores
        arguments, mask = padded_arguments(tokens, self.tokenizer.tokenizer, self.device)
        padded: torch.Tensor = self._model(**arguments).logits
        return padded[mask]

    def _saturated(self, scores: torch.Tensor) -> torch.Tensor:
        weights = at_least_float32(scores).relu().log1p()
        return weights.log1p() if self.spec.saturation == "log1p_relu" else weights

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> SparseVectors:
        """Encode texts; equal ones once, those of similar length together.

        Args:
            texts: Any number of texts.
            prompt: As in :meth:`cosmith.models.Encoder.encode`.
            instruction: Likewise.
            show_progress: What to call this step in the progress display; None shows nothing.
            token_budget: The most tokens in a micro-batch; None: by device.

        Returns:
            A row a text, in the order of ``texts``.

        Raises:
            InputError: When the model has no such prompt.
        """
        self._reader(prompt).prompt(prompt, instruction)  # an unknown prompt shall fail before anything is done
        embed = self.embed_queries if self._reads_queries(prompt) else self.embed
        return encode_ragged(
            texts,
            tokenize=partial(self.tokenize, prompt=prompt, instruction=instruction),
            embed=lambda tokens: SparseVectors.of(embed(tokens).cpu().numpy()),
            concatenate=lambda parts: SparseVectors.concatenate(parts, self.dimension),
            module=self.module,
            padded=not self.variable_length,
            context=self.compute_in,
            token_budget=token_budget,
            show_progress=show_progress,
        )

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """How well each document answers the query beside it, the dot product of their vectors: what
        :func:`cosmith.retrieval.rerank` asks for.

        Args:
            queries: ``n`` texts.
            documents: ``n`` texts.
            instruction: What takes the place of ``{task}`` in the prompts.
            show_progress: What to call this step in the progress display; None shows nothing.

        Returns:
            float32 ``[n]``.
        """
        if len(queries) != len(documents):
            raise InputError(f"there are {len(queries)} queries and {len(documents)} documents", field="documents")
        told, number = distinct_of(queries)
        asked = self.encode(told, prompt="query", instruction=instruction)
        read = self.encode(documents, prompt="document", instruction=instruction, show_progress=show_progress)
        scores = np.empty(len(queries), dtype=np.float32)
        for one in range(len(told)):
            pairs = np.flatnonzero(number == one)
            query, found = asked.take(np.array([one])).dense()[0], read.take(pairs)
            products = query[found.indices] * found.values
            row = np.repeat(np.arange(len(pairs)), found.counts)
            scores[pairs] = np.bincount(row, weights=products, minlength=len(pairs))
        return scores

    def words(self, vectors: SparseVectors, row: int, *, top: int | None = None) -> list[tuple[str, float]]:
        """The words of a vector with their weights, the weightiest first: why a document was found."""
        one = vectors.take(np.array([row]))
        order = np.argsort(-one.values, kind="stable")[:top]
        tokens = self.tokenizer.tokenizer.convert_ids_to_tokens(one.indices[order].tolist())
        return list(zip(tokens, one.values[order].tolist(), strict=True))
