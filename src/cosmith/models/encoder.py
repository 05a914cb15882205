"""The one class for every trainable dense model: backbone, pooling, projections, prompts, nested dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import torch

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.adapters import has_adapter
from cosmith.models.attention import set_attention, set_bidirectional
from cosmith.models.backbone import load_parts
from cosmith.models.batched import Item
from cosmith.models.batching import STATIC_TOKENS
from cosmith.models.dimensions import checked_dim
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.fingerprint import fingerprint_of, parts_of
from cosmith.models.fingerprint_parts import EmbeddingFingerprint
from cosmith.models.folder import DenseSpec, LatentAttentionSpec, ModelSpec
from cosmith.models.forward import TokenStates, run
from cosmith.models.inference import encode_texts
from cosmith.models.late_chunking import mean_states, require_mean_pooling
from cosmith.models.latent_attention import LatentAttention
from cosmith.models.lengths import longest_input
from cosmith.models.module import DenseModule
from cosmith.models.packaged import find_model, lasting_name
from cosmith.models.pooling import Pooling, checked_pooling, pool
from cosmith.models.precision import Precision, resolve_precision
from cosmith.models.reading import ReadsAsSaved, TextReader
from cosmith.models.runtimes.description import ExportRuntime, RuntimePrecision
from cosmith.models.runtimes.encoder import RuntimeEncoder, load_runtime
from cosmith.models.saving import save_model
from cosmith.models.tokenization import TextTokenizer
from cosmith.models.trainable_model import TrainableModel
from cosmith.models.weights import load_weights


class Encoder(ReadsAsSaved, TrainableModel):
    """A trainable dense text encoder.

    Args:
        backbone: A transformers model whose forward gives ``last_hidden_state``, or a static one.
        tokenizer: Its tokenizer.
        spec: Pooling, head, prompts and maximum length.
        name: What to call the model in tables.
        precision: In what to compute when encoding: ``"float32"``, ``"bf16"``, or ``"auto"`` (bf16 where the
            processor has it).

    Attributes:
        module: Backbone and projections as one :class:`torch.nn.Module`, weights in float32.
        variable_length: Whether texts run without padding (known families) or as padded batches.
    """

    spec: ModelSpec

    def __init__(
        self, backbone: Any, tokenizer: TextTokenizer, spec: ModelSpec, *, name: str, precision: Precision = "float32"
    ) -> None:
        self.tokenizer, self.spec, self.name, self.precision = tokenizer, spec, name, precision
        use_fast_dropout(backbone)
        self.variable_length = set_attention(backbone)
        dense = [DenseModule(part) for part in spec.head if isinstance(part, DenseSpec)]
        self.module = torch.nn.ModuleDict({"backbone": backbone, "dense": torch.nn.ModuleList(dense)})
        if spec.latent_attention is not None:
            self.module["latent_attention"] = LatentAttention(spec.latent_attention)
        self.module.eval()

    # ---------------------------------------------------------------- making, loading, saving

    @overload
    @classmethod
    def load(
        cls, name_or_folder: str | Path, *, precision: Precision = "float32", device: str = "cpu",
        bidirectional: bool | None = None, runtime: Literal["torch"] = "torch",
    ) -> Encoder: ...  # fmt: skip

    @overload
    @classmethod
    def load(
        cls, name_or_folder: str | Path, *, precision: RuntimePrecision = "float32", runtime: ExportRuntime
    ) -> RuntimeEncoder: ...

    @classmethod
    def load(
        cls, name_or_folder: str | Path, *, precision: Any = "float32", device: str = "cpu",
        bidirectional: bool | None = None, runtime: str = "torch",
    ) -> Encoder | RuntimeEncoder:  # fmt: skip
        """Load a model: a folder (Cosmith, sentence-transformers, transformers), a packaged model or a hub id.

        Weights come from safetensors only; code in a model folder is never run.

        Args:
            name_or_folder: Which.
            precision: In what to compute when encoding; of an exported model which of its forms.
            device: Where torch computes.
            bidirectional: For decoders: whether every token sees the whole text; None: as the folder says.
            runtime: ``torch``; or ``onnx`` or ``openvino`` for a folder that ``cosmith export`` made.
                :func:`cosmith.load_encoder` does the same where torch is not installed, and finds the fastest.

        Returns:
            An :class:`Encoder` for torch, else a :class:`~cosmith.models.runtimes.RuntimeEncoder`.

        Raises:
            InputError: When there is no such model, it is not whole, or it has parts that Cosmith does not know.
        """
        if runtime != "torch":
            if device != "cpu" or bidirectional is not None:
                raise InputError("is for torch", field="device" if bidirectional is None else "bidirectional",
                                 remedy="Leave it out.")  # fmt: skip
            return load_runtime(name_or_folder, runtime=runtime, precision=precision)
        resolve_precision(precision, torch.device(device))  # a wrong one shall fail before anything is loaded
        backbone, words, spec = load_parts(find_model(name_or_folder))
        if not has_adapter(backbone):
            backbone.config.name_or_path = lasting_name(name_or_folder)
        if bidirectional is not None:
            set_bidirectional(backbone, bidirectional)
        encoder = cls(backbone, words, spec, name=Path(str(name_or_folder)).name, precision=precision)
        for module in encoder._own_modules:
            load_weights(module, module.spec.folder)
        return encoder.to(device)

    @classmethod
    def from_config(
        cls, config: Any, tokenizer: Any, *, pooling: Pooling = "mean", projection: int | None = None,
        prompts: Mapping[str, str] | None = None, max_length: int | None = None, name: str = "random", seed: int = 0,
    ) -> Encoder:  # fmt: skip
        """A model with random weights.

        Args:
            config: A transformers config (e.g. ``BertConfig``), or a dictionary with ``model_type``.
            tokenizer: A transformers fast tokenizer.
            pooling: One of ``cls``, ``mean``, ``max``, ``weighted_mean``, ``last_token``, ``mean_sqrt_len``.
            projection: Width of a final linear layer without bias; none when left out.
            prompts: Name → text to put before texts; may contain ``{task}``.
            max_length: The most tokens of a text; the backbone's own limit when left out.
            name: What to call it.
            seed: Seeds the weights; the global generator is left as it was.
        """
        from transformers import AutoConfig, AutoModel

        checked_pooling(pooling)
        if isinstance(config, Mapping):
            config = AutoConfig.for_model(**config)
        dense = () if projection is None else (DenseSpec(config.hidden_size, projection, bias=False),)
        spec = ModelSpec(pooling, (*dense, "normalize"), max_length=max_length, prompts=dict(prompts or {}))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make: Any = AutoModel.from_config
            backbone = make(config, dtype=torch.float32)
            return cls(backbone, TextTokenizer(tokenizer), spec, name=name)

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write the model as a sentence-transformers folder, atomically.

        Args:
            folder: Where; an older model there is replaced as a whole.
            card: The text of its README.md (the model card).

        Raises:
            InputError: When the folder holds something else than a model.
        """
        made = EmbeddingFingerprint(self.fingerprint_parts())
        return save_model(folder, self._backbone, self._own_modules, self.tokenizer, self._said, card, made)

    # ---------------------------------------------------------------- what it is

    @property
    def is_static(self) -> bool:
        """Whether the vectors of tokens do not depend on their context, see :mod:`cosmith.models.static`."""
        return self.spec.static

    @property
    def _dense(self) -> list[Any]:
        modules: Any = self.module["dense"]
        return list(modules)

    @property
    def _own_modules(self) -> list[Any]:
        """The modules with weights of their own beside the backbone, in the order of the folder."""
        return ([self.module["latent_attention"]] if "latent_attention" in self.module else []) + self._dense

    @property
    def _said(self) -> ModelSpec:
        """The specification with the maximum length that is in force."""
        return replace(self.spec, max_length=self.max_length)

    @property
    def dimension(self) -> int:
        """The length of a full vector."""
        dense = self._dense
        return int(dense[-1].spec.out_features if dense else self._backbone.config.hidden_size)

    @property
    def normalises(self) -> bool:
        """Whether its modules leave vectors of length one."""
        return self.spec.normalises

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read, special tokens included."""
        usual = None if self.is_static else int(self.tokenizer.tokenizer.model_max_length)
        return longest_input(self._backbone.config, self.spec.max_length or usual)

    def set_pooling(
        self, pooling: Pooling | None = None, *, include_prompt: bool | None = None, latents: int | None = None,
        heads: int = 8, seed: int = 0,
    ) -> Encoder:  # fmt: skip
        """Change how token states become a vector; returns the encoder itself.

        Args:
            pooling: One of ``POOLINGS``; None: as it is.
            include_prompt: Whether the tokens of prompts are pooled with those of the text; None: as it is.
            latents: Give it a new latent attention of so many latents before the pooling (NV-Embed,
                arXiv:2405.17428: 512); untrained, it changes nothing. None: as it is.
            heads: Attention heads of the latent attention.
            seed: Seeds it.

        Raises:
            InputError: When there is no such pooling, or the heads do not divide the width.
        """
        if self.is_static:
            raise InputError("a static model has no other pooling than the mean", field="pooling", remedy="Leave it.")
        pooling = checked_pooling(pooling or self.spec.pooling)
        include = self.spec.include_prompt if include_prompt is None else include_prompt
        self.spec = replace(self.spec, pooling=pooling, include_prompt=include)
        if latents is not None:
            spec = LatentAttentionSpec(int(self._backbone.config.hidden_size), latents, heads)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.module["latent_attention"] = LatentAttention(spec).to(self.device).train(self.module.training)
            self.spec = replace(self.spec, latent_attention=spec)
        return self

    def set_bidirectional(self, on: bool = True) -> Encoder:
        """Let every token of a decoder see the whole text, or only what stands before it: a switch that is saved with
        the model. Returns the encoder itself.

        Raises:
            InputError: When the backbone is no decoder of a known family.
        """
        set_bidirectional(self._backbone, on)
        return self

    def fingerprint(self) -> str:
        """A hash over weights, configuration, tokenizer, pooling, head, prompts and maximum length."""
        return fingerprint_of(self.module, self._backbone.config, self.tokenizer, self._said)

    def fingerprint_parts(self) -> Mapping[str, str]:
        """The same part by part, see :class:`cosmith.models.EmbeddingFingerprint`."""
        return parts_of(self.module, self._backbone.config, self.tokenizer, self._said)

    # ---------------------------------------------------------------- texts to tokens to vectors

    def _reader(self, prompt: str | None) -> TextReader:
        said = self.spec
        return TextReader(self.tokenizer, said.prompts, said.default_prompt, self.max_length, said.include_prompt)

    def embed(self, tokens: RaggedTokens, *, normalize: bool = True) -> torch.Tensor:
        """One forward of these texts, with graph when gradients are on.

        Args:
            tokens: The texts of one micro-batch, best sorted by length.
            normalize: Unit rows; otherwise as the model's modules leave them.

        Returns:
            float32 ``[len(tokens), dimension]``.
        """
        if len(tokens) == 0:
            return torch.zeros(0, self.dimension, device=self.device)
        vectors = self._projected(self._backbone(tokens) if self.is_static else self._pooled(tokens))
        return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors

    def _projected(self, pooled: torch.Tensor) -> torch.Tensor:
        """What the head makes of pooled states ``[n, hidden]``: float32 ``[n, dimension]``."""
        dense = iter(self._dense)
        for part in self.spec.head:
            normal = isinstance(part, str)
            pooled = torch.nn.functional.normalize(pooled, dim=-1) if normal else next(dense)(pooled)
        return pooled.float()

    def _pooled(self, tokens: RaggedTokens) -> torch.Tensor:
        found = self._run(tokens)
        states = self._attended(found)
        prompts = tokens.prompt_lengths
        left_out = None if prompts is None else torch.from_numpy(prompts.astype(np.int64)).to(self.device)
        return pool(states, found.lengths, found.text, self.spec.pooling, left_out)

    def _attended(self, found: TokenStates) -> torch.Tensor:
        """The states that are pooled."""
        return self.module["latent_attention"](found.states) if "latent_attention" in self.module else found.states

    def token_states(self, tokens: RaggedTokens) -> torch.Tensor:
        """The backbone's last hidden states, with graph when gradients are on: ``[tokens, hidden]``, text after text.

        Args:
            tokens: The texts of one micro-batch, at least one, best sorted by length.
        """
        return self._run(tokens).states

    def _run(self, tokens: RaggedTokens) -> TokenStates:
        return run(self._backbone, tokens, self.tokenizer.tokenizer, flat=self.variable_length)

    def encode(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", dim: int | None = None,
        normalize: bool = True, show_progress: str | None = None, token_budget: int | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Encode texts as unit rows; equal texts are encoded once, texts of similar length together.

        Args:
            texts: Any number of texts.
            prompt: The name of a prompt to put before each text. ``"query"`` and ``"document"`` may always be
                given and are empty where the model has none; ``None`` means the model's default prompt.
            instruction: What takes the place of ``{task}`` in the prompt.
            dim: Keep only the first ``dim`` numbers and normalise again (nested dimensions, arXiv:2205.13147).
            normalize: ``False`` gives vectors as the model's modules leave them.
            show_progress: What to call this step in the progress display; ``None`` shows nothing.
            token_budget: The most tokens in a micro-batch; None: by device.

        Returns:
            float32 ``[len(texts), dim]`` in the order of ``texts``.

        Raises:
            InputError: When ``dim`` is larger than the model's, or the model has no such prompt.
        """
        self._reader(prompt).prompt(prompt, instruction)  # an unknown prompt shall fail before anything is done
        tokenize = partial(self.tokenize, prompt=prompt, instruction=instruction)
        return self._encoded(texts, tokenize, dim, normalize, token_budget, show_progress)

    def encode_tokens(
        self, tokens: RaggedTokens, *, dim: int | None = None, show_progress: str | None = None
    ) -> np.ndarray:
        """Encode what :meth:`tokenize` made of texts: float32 ``[len(tokens), dim]``, unit rows, see :meth:`encode`."""
        return self._encoded(range(len(tokens)), tokens.take, dim, True, None, show_progress)

    def _encoded(
        self, items: Sequence[Item], tokenize: Callable[[Sequence[Item]], RaggedTokens], dim: int | None,
        normalize: bool, token_budget: int | None, show_progress: str | None,
    ) -> np.ndarray:  # fmt: skip
        width = checked_dim(dim, self.dimension)
        return encode_texts(
            items, tokenize=tokenize, embed=partial(self._finished, width, normalize), module=self.module, width=width,
            padded=not self.variable_length, context=self.compute_in,
            token_budget=token_budget or (STATIC_TOKENS if self.is_static else None), show_progress=show_progress,
        )  # fmt: skip

    def encode_unscaled(self, texts: Sequence[str], **how: Any) -> np.ndarray:
        """As :meth:`encode`, with its arguments: vectors as the model's modules leave them, unit rows or not."""
        return self.encode(texts, normalize=self.normalises, **how)

    def encode_chunks(
        self, texts: Sequence[str], spans: Sequence[npt.ArrayLike], *, prompt: str | None = None,
        instruction: str = "", dim: int | None = None, overlap: int | None = None, show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> npt.NDArray[np.float32]:  # fmt: skip
        """Encode parts of texts that know the text around them (late chunking, see
        :mod:`cosmith.models.late_chunking`).

        Args:
            texts: Any number of whole texts, however long.
            spans: For each text where its chunks stand, int ``[chunks, 2]``: first and behind-the-last character;
                they may overlap. A chunk's tokens are those that hold one of its characters, no special ones.
            prompt, instruction, dim, show_progress, token_budget: As for :meth:`encode`.
            overlap: Tokens that windows of a text longer than the model share; None: a quarter of their room.

        Returns:
            float32 ``[chunks of all texts, dim]``, unit rows, text after text, in the order of ``spans``.

        Raises:
            InputError: When the model is static or does not pool by the mean, when a span does not lie within its text
                or holds no token, or when ``overlap`` leaves no room.
        """
        require_mean_pooling(self.spec.pooling, static=self.is_static, name=self.name)
        width = checked_dim(dim, self.dimension)
        means = mean_states(
            texts, spans, tokenizer=self.tokenizer, before=self._reader(prompt).prompt(prompt, instruction),
            max_length=self.max_length, overlap=overlap, states=lambda tokens: self._attended(self._run(tokens)),
            hidden=int(self._backbone.config.hidden_size), module=self.module, padded=not self.variable_length,
            context=self.compute_in, token_budget=token_budget, show_progress=show_progress,
        )  # fmt: skip
        with torch.inference_mode(), self.compute_in():
            vectors = self._projected(torch.from_numpy(means).to(self.device))[:, :width]
            return torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()

    def _finished(self, width: int, normalize: bool, tokens: RaggedTokens) -> np.ndarray:
        """The vectors of one micro-batch as they are handed out: float32 ``[len(tokens), width]``."""
        vectors = self.embed(tokens, normalize=False)[:, :width]
        if normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors.cpu().numpy()
