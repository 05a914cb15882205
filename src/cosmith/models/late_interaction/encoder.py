"""Late interaction: a vector for every token of a text, and a score that lets each token of a query choose (ColBERT).

Khattab & Zaharia, arXiv:2004.12832. The score of a document is the sum, over the vectors of the query, of the greatest
cosine with a vector of the document: :func:`cosmith.losses.max_similarity`.
"""

from __future__ import annotations

import copy
import string
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xxhash

from cosmith.data.ragged import offsets_of
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.losses.late_interaction import max_similarity
from cosmith.models.adapters import refuse_adapter
from cosmith.models.attention import set_attention
from cosmith.models.backbone import described
from cosmith.models.batched import distinct_of
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.encoder import Encoder
from cosmith.models.fingerprint import add_weights
from cosmith.models.folder import DenseSpec
from cosmith.models.forward import run
from cosmith.models.inference import encode_ragged
from cosmith.models.late_interaction.folder import (
    LateInteractionSpec,
    QueryExpansion,
    read_late_interaction,
    write_late_interaction,
)
from cosmith.models.late_interaction.markers import register_markers, unused_markers
from cosmith.models.late_interaction.vectors import TokenVectors
from cosmith.models.lengths import longest_input
from cosmith.models.measure import TokenMeasure
from cosmith.models.module import DenseModule
from cosmith.models.new_heads import bare_backbone
from cosmith.models.packaged import find_model
from cosmith.models.precision import Precision, resolve_precision
from cosmith.models.prompts import fill_prompt
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.trainable_model import TrainableModel
from cosmith.models.weights import load_weights

Kept = npt.NDArray[np.bool_]


class LateInteractionEncoder(TrainableModel):
    """A trainable encoder that gives every token of a text a vector.

    Args:
        backbone: A transformers model whose forward gives ``last_hidden_state``.
        tokenizer: A transformers fast tokenizer.
        dense: The projection of token states.
        spec: What else the model's folder says.
        name: What to call the model in tables.
        precision: In what to compute when encoding, as for :class:`~cosmith.models.Encoder`.

    Attributes:
        module: Backbone and projection as one :class:`torch.nn.Module`, weights in float32.
        variable_length: Whether texts run without padding (known families) or as padded batches.
    """

    spec: LateInteractionSpec

    def __init__(
        self,
        backbone: Any,
        tokenizer: Any,
        dense: DenseSpec,
        spec: LateInteractionSpec,
        *,
        name: str,
        precision: Precision = "float32",
    ) -> None:
        self.tokenizer, self.name, self.precision = TextTokenizer(tokenizer), name, precision
        use_fast_dropout(backbone)
        self.variable_length = set_attention(backbone)
        declared = spec.max_length or int(tokenizer.model_max_length)
        self.spec = replace(spec, max_length=longest_input(backbone.config, declared))
        tokenizer.model_max_length = self.max_length  # where sentence-transformers looks for it
        if spec.expansion is not None and spec.expansion.length > self.max_length:
            raise InputError(f"queries of {spec.expansion.length} tokens are longer than the {self.max_length} that the"
                             " model reads", field="query_length", remedy="Expand them to fewer.")  # fmt: skip
        self.module = torch.nn.ModuleDict({"backbone": backbone, "dense": DenseModule(dense)})
        self.module.eval()

    # ---------------------------------------------------------------- making, loading, saving

    @classmethod
    def load(
        cls, name_or_folder: str | Path, *, precision: Precision = "float32", device: str = "cpu"
    ) -> LateInteractionEncoder:
        """Load a late-interaction model of sentence-transformers or PyLate: a folder or a hub id.

        Weights come from safetensors only; code in a model folder is never run.

        Raises:
            InputError: When there is no such model, it is not whole, or it is of another kind.
        """
        resolve_precision(precision, torch.device(device))  # a wrong one shall fail before anything is loaded
        backbone, tokenizer, dense, spec = read_late_interaction(find_model(name_or_folder))
        name = Path(str(name_or_folder)).name
        encoder = cls(backbone, tokenizer, dense, spec, name=name, precision=precision)
        load_weights(encoder.module["dense"], dense.folder)
        return encoder.to(device)

    @classmethod
    def from_encoder(
        cls,
        encoder: Encoder,
        dimension: int = 128,
        *,
        expansion: QueryExpansion | None = QueryExpansion(),  # noqa: B008  a frozen value
        skiplist: Sequence[str] = string.punctuation,
        seed: int = 0,
    ) -> LateInteractionEncoder:
        """A new late-interaction model on an encoder's backbone, with a projection that nobody has trained yet.

        Args:
            encoder: Left as it is; its pooling and head play no part. Its prompts are kept; if it has none, and its
                vocabulary has tokens to spare, they mark queries and documents.
            dimension: Of a token's vector.
            expansion: What stands behind queries; None: nothing.
            skiplist: Tokens of documents that get no vector; those that the vocabulary does not have are ignored.
            seed: Of the projection; torch's generators are left as they were.

        Raises:
            InputError: When the encoder is static, has an adapter, or reads fewer tokens than queries shall have.
        """
        backbone = bare_backbone(encoder)
        if dimension < 1:
            raise InputError(f"must be at least 1, not {dimension}", field="dimension")
        tokenizer = copy.deepcopy(encoder.tokenizer.tokenizer)
        prompts = dict(encoder.prompts) or unused_markers(tokenizer)
        register_markers(tokenizer, prompts.values())
        spec = LateInteractionSpec(
            expansion=expansion,
            skiplist=tuple(skiplist),
            max_length=encoder.max_length,
            prompts=prompts,
            default_prompt=encoder.spec.default_prompt,
        )
        dense = DenseSpec(int(backbone.config.hidden_size), dimension, bias=False, reads="token_embeddings")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = cls(copy.deepcopy(backbone), tokenizer, dense, spec, name=encoder.name, precision=encoder.precision)
        return made.to(str(encoder.device))

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write the model as a sentence-transformers MultiVectorEncoder folder, atomically.

        Args:
            folder: Where; an older model there is replaced as a whole.
            card: The text of its README.md (the model card).

        Raises:
            InputError: When the folder holds something else than a model, or an adapter is not merged.
        """
        refuse_adapter(self._backbone, "a late-interaction model")
        dense: Any = self.module["dense"]
        return write_late_interaction(
            folder, self._backbone, dense, dense.spec, self.tokenizer.tokenizer, self.spec, card
        )

    # ---------------------------------------------------------------- what it is

    @property
    def dimension(self) -> int:
        """The length of a token's vector."""
        dense: Any = self.module["dense"]
        return int(dense.spec.out_features)

    def fingerprint(self) -> str:
        """A hash over weights, configuration, tokenizer, expansion, skip-list, prompts and lengths."""
        dense: Any = self.module["dense"]
        digest = xxhash.xxh3_128(self.tokenizer.fingerprint().encode())
        said = (replace(self.spec, prompts={}), sorted(self.prompts.items()), dense.spec.activation)
        digest.update(repr((said, described(self._backbone.config))).encode())
        add_weights(digest, self.module)
        return digest.hexdigest()

    # ---------------------------------------------------------------- texts to tokens

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """Tokenise texts with their prompt before them; behind those with the prompt ``query`` stands the expansion.

        ``full_lengths`` count no token of the expansion, so that these are what lies behind them.

        Args:
            texts: Any number of texts.
            prompt: The name of a prompt.
            instruction: What takes the place of ``{task}`` in the prompt.
            max_length: Fewer tokens than the model's own maximum; of no account for queries of a fixed length.
        """
        before, limit, least = self._reading(prompt, instruction, max_length)
        tokens = self.tokenizer([before + text for text in texts] if before else texts, limit)
        lengths = np.maximum(tokens.lengths, least)
        if (lengths == tokens.lengths).all():
            return tokens
        offsets = offsets_of(lengths)
        values = np.full(offsets[-1], self._expansion_token, dtype=np.int32)
        shift = np.repeat(offsets[:-1] - tokens.offsets[:-1], tokens.lengths)
        values[np.arange(len(tokens.values)) + shift] = tokens.values
        return RaggedTokens(values, offsets, tokens.full_lengths)

    def token_key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens: equal exactly when :meth:`tokenize` would give the same for every text."""
        before, limit, least = self._reading(prompt, instruction, max_length)
        behind = f"{least}|{self._expansion_token}" if least else ""
        return xxhash.xxh3_64_hexdigest(f"{self.tokenizer.fingerprint()}|{limit}|{before}|{behind}".encode())

    def measure(self, *, prompt: str | None = "document", instruction: str = "") -> TokenMeasure:
        """As :meth:`cosmith.models.Encoder.measure`."""
        tokenize = partial(self.tokenize, prompt=prompt, instruction=instruction)
        return TokenMeasure(self._reading(prompt, instruction, None)[1], self.tokenizer, tokenize)

    def _reading(self, prompt: str | None, instruction: str, max_length: int | None) -> tuple[str, int, int]:
        """What stands before a text, its most tokens, and its least, to which it is expanded."""
        name = prompt if prompt is not None else self.spec.default_prompt
        before = fill_prompt(self.prompts, name, instruction)
        expansion = self.spec.expansion if name == "query" else None
        if expansion is not None and expansion.strategy == "fixed":
            return before, expansion.length, expansion.length
        own = self.spec.query_length if name == "query" else self.spec.document_length
        limit = min(length for length in (own, max_length, self.max_length) if length is not None)
        return before, limit, 0 if expansion is None else expansion.length

    @property
    def _expansion_token(self) -> int:
        words, said = self.tokenizer.tokenizer, self.spec.expansion and self.spec.expansion.token
        found = words.convert_tokens_to_ids(said) if said else words.mask_token_id
        if found is None:
            found = words.eos_token_id
        if found is None or (said and said not in words.get_vocab()):
            raise InputError("the tokenizer has no token to expand queries with", field="expansion",
                             remedy="Name one of its vocabulary, or leave the expansion out.")  # fmt: skip
        return int(found)

    @cached_property
    def _skipped(self) -> npt.NDArray[np.int64]:
        """The ids of the skip-list's words; one that is no token of its own would stand for every unknown word."""
        vocabulary = self.tokenizer.tokenizer.get_vocab()
        return np.array([vocabulary[word] for word in self.spec.skiplist if word in vocabulary], dtype=np.int64)

    def kept(self, tokens: RaggedTokens, prompt: str | None = None) -> Kept:
        """Which tokens get a vector: all of a query's, and of a document's those that are not on the skip-list.

        A document of which nothing would be left keeps its first token.

        Returns:
            bool ``[tokens]``.
        """
        if prompt == "query" or not len(self._skipped):
            return np.ones(len(tokens.values), dtype=np.bool_)
        kept: Kept = ~np.isin(tokens.values, self._skipped)
        if len(tokens):
            kept[tokens.offsets[:-1][np.add.reduceat(kept, tokens.offsets[:-1]) == 0]] = True
        return kept

    # ---------------------------------------------------------------- tokens to vectors

    def embed(self, tokens: RaggedTokens, kept: Kept | None = None) -> torch.Tensor:
        """One forward of these texts, with graph when gradients are on.

        Args:
            tokens: The texts of one micro-batch, best sorted by length.
            kept: Which tokens get a vector, ``[tokens]``; None: all.

        Returns:
            float32 ``[kept tokens, dimension]``, unit rows, text after text.
        """
        if len(tokens) == 0:
            return torch.zeros(0, self.dimension, device=self.device)
        own = np.minimum(tokens.lengths, tokens.full_lengths)  # those behind are an expansion
        attends = self.spec.expansion is None or self.spec.expansion.attend or (own == tokens.lengths).all()
        words = self.tokenizer.tokenizer
        seen = None if attends else own.astype(np.int64)
        states = run(self._backbone, tokens, words, flat=self.variable_length, seen=seen).states
        if kept is not None:
            states = states[torch.from_numpy(np.flatnonzero(kept)).to(states.device)]
        return torch.nn.functional.normalize(self.module["dense"](states).float(), dim=-1)

    def encode_queries(
        self, texts: Sequence[str], *, instruction: str = "", show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> TokenVectors:  # fmt: skip
        """Encode texts as queries: with the prompt ``query``, expanded; equal ones once.

        Args:
            texts: Any number of texts.
            instruction: What takes the place of ``{task}`` in the prompt.
            show_progress: What to call this step in the progress display; None shows nothing.
            token_budget: The most tokens in a micro-batch; None: by device.

        Returns:
            The token vectors of each text, float32, in the order of ``texts``.
        """
        return self._encode(texts, "query", instruction, show_progress, token_budget)

    def encode_documents(
        self, texts: Sequence[str], *, instruction: str = "", pool_factor: float = 1.0,
        show_progress: str | None = None, token_budget: int | None = None,
    ) -> TokenVectors:  # fmt: skip
        """Encode texts as documents: with the prompt ``document``, without the words of the skip-list.

        Args:
            texts: Any number of texts.
            instruction, show_progress, token_budget: As for queries.
            pool_factor: Keep about one vector in so many, see :meth:`TokenVectors.pooled`.

        Returns:
            The token vectors of each text, float32, in the order of ``texts``.
        """
        return self._encode(texts, "document", instruction, show_progress, token_budget, pool_factor)

    def _encode(
        self,
        texts: Sequence[str],
        prompt: str,
        instruction: str,
        show_progress: str | None,
        token_budget: int | None,
        pool_factor: float = 1.0,
    ) -> TokenVectors:
        return encode_ragged(
            texts,
            tokenize=partial(self.tokenize, prompt=prompt, instruction=instruction),
            embed=lambda tokens: self._finished(tokens, prompt).pooled(pool_factor),
            concatenate=lambda parts: TokenVectors.concatenate(parts, self.dimension),
            module=self.module,
            padded=not self.variable_length,
            context=self.compute_in,
            token_budget=token_budget,
            show_progress=show_progress,
        )

    def _finished(self, tokens: RaggedTokens, prompt: str) -> TokenVectors:
        kept = self.kept(tokens, prompt)
        vectors = self.embed(tokens, kept).cpu().numpy()
        return TokenVectors(vectors, offsets_of(np.add.reduceat(kept, tokens.offsets[:-1], dtype=np.int64)))

    def score(
        self,
        queries: Sequence[str],
        documents: Sequence[str],
        *,
        instruction: str = "",
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """How well each document answers the query beside it: what :func:`cosmith.retrieval.rerank` asks for.

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
        asked = self.encode_queries(queries, instruction=instruction)
        distinct, place = distinct_of(documents)
        read = self.encode_documents(distinct, instruction=instruction, show_progress=show_progress)
        scores = np.empty(len(queries), dtype=np.float32)
        _, number = distinct_of(queries)
        for one in np.unique(number):
            pairs = np.flatnonzero(number == one)
            query, found = asked.of(int(pairs[0])), read.take(place[pairs])
            offsets = torch.tensor([0, len(query)])
            scores[pairs] = max_similarity(
                torch.from_numpy(query), offsets, torch.from_numpy(found.values), torch.from_numpy(found.offsets)
            )[0].numpy()
        return scores
