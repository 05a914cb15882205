"""The one class for every trainable dense model: backbone, pooling, projections, prompts, nested dimensions."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

from cosmith.atomic import atomic_folder, require_replaceable
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError, nearest
from cosmith.models.attention import set_attention, set_bidirectional
from cosmith.models.backbone import described, load_backbone, quiet_transformers
from cosmith.models.batching import micro_batches
from cosmith.models.dropout import use_fast_dropout
from cosmith.models.folder import DenseSpec, ModelSpec, read_spec, write_spec
from cosmith.models.forward import TokenStates, run_flat, run_padded
from cosmith.models.module import DenseModule
from cosmith.models.packaged import find_model
from cosmith.models.pooling import POOLINGS, Pooling, pool
from cosmith.models.precision import Precision, resolve_precision
from cosmith.models.prompts import fill_prompt
from cosmith.models.threads import on_all_cores
from cosmith.models.tokenization import TextTokenizer
from cosmith.progress import track

# Tokens in a micro-batch when encoding: on a CPU enough for full matrix speed and few enough for a core's cache
# (measured); an accelerator wants more at once.
CPU_TOKENS, ACCELERATOR_TOKENS = 1_024, 16_384
_TEXTS_AT_ONCE = 50_000


class Encoder:
    """A trainable dense text encoder.

    Args:
        backbone: A transformers model whose forward gives ``last_hidden_state``.
        tokenizer: Its tokenizer.
        spec: Pooling, head, prompts and maximum length.
        name: What to call the model in tables.
        precision: In what to compute when encoding: ``"float32"``, ``"bf16"``, or ``"auto"`` (bf16 where the
            processor has it).

    Attributes:
        module: Backbone and projections as one :class:`torch.nn.Module`, weights in float32.
        variable_length: Whether texts run without padding (known families) or as padded batches.
    """

    def __init__(
        self,
        backbone: Any,
        tokenizer: TextTokenizer,
        spec: ModelSpec,
        *,
        name: str,
        precision: Precision = "float32",
    ) -> None:
        self.tokenizer, self.spec, self.name, self.precision = tokenizer, spec, name, precision
        use_fast_dropout(backbone)
        self.variable_length = set_attention(backbone)
        self._dense = [DenseModule(part) for part in spec.head if isinstance(part, DenseSpec)]
        self.module = torch.nn.ModuleDict({"backbone": backbone, "dense": torch.nn.ModuleList(self._dense)})
        self.module.eval()

    # ---------------------------------------------------------------- making, loading, saving

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        precision: Precision = "float32",
        device: str = "cpu",
        bidirectional: bool | None = None,
    ) -> Encoder:
        """Load a model: a folder (Cosmith, sentence-transformers, transformers), a packaged model or a hub id.

        Weights come from safetensors only; code in a model folder is never run.

        Args:
            name_or_folder: Which.
            precision: In what to compute when encoding.
            device: Where.
            bidirectional: For decoders: whether every token sees the whole text; None: as the folder says.

        Raises:
            InputError: When there is no such model, it is not whole, or it has parts that Cosmith does not know.
        """
        resolve_precision(precision, torch.device(device))  # a wrong one shall fail before anything is loaded
        spec = read_spec(find_model(name_or_folder))
        backbone, tokenizer = load_backbone(spec.backbone)
        if bidirectional is not None:
            set_bidirectional(backbone, bidirectional)
        encoder = cls(
            backbone,
            TextTokenizer(tokenizer, do_lower_case=spec.do_lower_case),
            spec,
            name=Path(str(name_or_folder)).name,
            precision=precision,
        )
        for module in encoder._dense:
            module.load()
        return encoder.to(device)

    @classmethod
    def from_config(
        cls,
        config: Any,
        tokenizer: Any,
        *,
        pooling: Pooling = "mean",
        projection: int | None = None,
        prompts: Mapping[str, str] | None = None,
        max_length: int | None = None,
        name: str = "random",
        seed: int = 0,
    ) -> Encoder:
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

        if pooling not in POOLINGS:
            raise InputError(f"{pooling!r} is no pooling", field="pooling", remedy=nearest(pooling, POOLINGS))
        if isinstance(config, Mapping):
            config = AutoConfig.for_model(**config)
        head: tuple[DenseSpec | str, ...] = ("normalize",)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            make: Any = AutoModel.from_config
            backbone = make(config, dtype=torch.float32)
            if projection is not None:
                identity = "torch.nn.modules.linear.Identity"
                head = (DenseSpec(config.hidden_size, projection, False, identity), "normalize")
            spec = ModelSpec(
                pooling, head, Path(), max_length=max_length, prompts=dict(prompts or {}), similarity="cosine"
            )
            return cls(backbone, TextTokenizer(tokenizer), spec, name=name)

    def save(self, folder: str | Path, *, card: str | None = None) -> Path:
        """Write the model as a sentence-transformers folder, atomically.

        Args:
            folder: Where; an older model there is replaced as a whole.
            card: The text of its README.md (the model card).

        Raises:
            InputError: When the folder holds something else than a model.
        """
        import safetensors.torch
        import transformers

        target = Path(folder)
        require_replaceable(target, "modules.json", "a model")
        with atomic_folder(target) as place:
            with quiet_transformers():
                self._backbone.save_pretrained(place, safe_serialization=True)
            self.tokenizer.tokenizer.save_pretrained(place)
            versions = {"pytorch": torch.__version__, "transformers": transformers.__version__}
            spec = replace(self.spec, max_length=self.max_length)
            places = write_spec(place, spec, self._backbone.config.hidden_size, versions)
            for module, dense in zip(self._dense, (p for p in places if p is not None), strict=True):
                weights = {name: value.contiguous() for name, value in module.state_dict().items()}
                safetensors.torch.save_file(weights, dense / "model.safetensors", metadata={"format": "pt"})
            if card is not None:
                (place / "README.md").write_text(card, encoding="utf-8")
        return target

    def copy(self) -> Encoder:
        """An independent copy, weights and all."""
        return copy.deepcopy(self)

    # ---------------------------------------------------------------- what it is

    @property
    def _backbone(self) -> Any:
        return self.module["backbone"]

    @property
    def dimension(self) -> int:
        """The length of a full vector."""
        dense = self._dense
        return dense[-1].spec.out_features if dense else int(self._backbone.config.hidden_size)

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read, special tokens included."""
        config = self._backbone.config
        own = int(getattr(config, "max_position_embeddings", 512))
        if config.model_type in ("roberta", "xlm-roberta"):  # positions begin after the padding token's id
            own -= config.pad_token_id + 1
        declared = self.spec.max_length or min(int(self.tokenizer.tokenizer.model_max_length), own)
        return min(int(declared), own)

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""
        return self.spec.prompts

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter(self.module.parameters())).device

    def to(self, device: str | torch.device) -> Encoder:
        """Move the weights; returns the encoder itself."""
        self.module.to(device)
        return self

    def set_bidirectional(self, on: bool = True) -> Encoder:
        """Let every token of a decoder see the whole text, or only what stands before it; returns the encoder itself.

        The switch is saved with the model.

        Raises:
            InputError: When the backbone is no decoder of a known family.
        """
        set_bidirectional(self._backbone, on)
        return self

    def fingerprint(self) -> str:
        """A hash over weights, configuration, tokenizer, pooling, head, prompts and maximum length."""
        digest = xxhash.xxh3_128(self.tokenizer.fingerprint().encode())
        head = [part if isinstance(part, str) else (part.out_features, part.activation) for part in self.spec.head]
        said = (self.spec.pooling, head, sorted(self.prompts.items()), self.spec.default_prompt, self.max_length)
        digest.update(repr((said, described(self._backbone.config))).encode())
        for name, value in sorted(self.module.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    # ---------------------------------------------------------------- texts to tokens

    def tokenize(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", max_length: int | None = None
    ) -> RaggedTokens:
        """Tokenise texts with their prompt before them, as the model wants to read them.

        Args:
            texts: Any number of texts.
            prompt: The name of a prompt (see :meth:`encode`).
            instruction: What takes the place of ``{task}`` in the prompt.
            max_length: Fewer tokens than the model's own maximum.
        """
        before = self._prompt(prompt, instruction)
        limit = self.max_length if max_length is None else min(max_length, self.max_length)
        return self.tokenizer([before + text for text in texts] if before else texts, limit)

    def token_key(self, *, prompt: str | None = None, instruction: str = "", max_length: int | None = None) -> str:
        """A key for stored tokens: equal exactly when :meth:`tokenize` would give the same for every text."""
        limit = self.max_length if max_length is None else min(max_length, self.max_length)
        said = f"{self.tokenizer.fingerprint()}|{limit}|{self._prompt(prompt, instruction)}"
        return xxhash.xxh3_64_hexdigest(said.encode())

    def _prompt(self, name: str | None, instruction: str) -> str:
        return fill_prompt(self.prompts, name if name is not None else self.spec.default_prompt, instruction)

    # ---------------------------------------------------------------- tokens to vectors

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
        found = self._run(tokens)
        vectors = pool(found.states, found.lengths, found.text, self.spec.pooling)
        dense = iter(self._dense)
        for part in self.spec.head:
            normal = isinstance(part, str)
            vectors = torch.nn.functional.normalize(vectors, dim=-1) if normal else next(dense)(vectors)
        vectors = vectors.float()
        return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors

    def token_states(self, tokens: RaggedTokens) -> torch.Tensor:
        """The backbone's last hidden states, with graph when gradients are on: ``[tokens, hidden]``, text after text.

        Args:
            tokens: The texts of one micro-batch, at least one, best sorted by length.
        """
        return self._run(tokens).states

    def _run(self, tokens: RaggedTokens) -> TokenStates:
        if self.variable_length:
            return run_flat(self._backbone, tokens)
        return run_padded(self._backbone, tokens, self.tokenizer.tokenizer)

    def compute_in(self, precision: Precision | None = None, *, remember: bool = True) -> AbstractContextManager[Any]:
        """The context in which to run the model for a precision (its own when left out).

        Args:
            precision: In what to compute.
            remember: Whether weights that were cast inside the block are cast once only. All threads share that
                memory, casts with and without a graph too, so it is not for training.
        """
        if resolve_precision(precision or self.precision, self.device) == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=remember)
        return nullcontext()

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        normalize: bool = True,
        show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> np.ndarray:
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
        if isinstance(texts, str):
            raise InputError("is one text, not a list of texts", field="texts", remedy="Pass [text].")
        width = self._checked_dim(dim)
        self._prompt(prompt, instruction)  # an unknown prompt shall fail before anything is done
        unique: dict[str, int] = {}
        places = np.fromiter((unique.setdefault(text, len(unique)) for text in texts), np.int64, len(texts))
        distinct = list(unique)
        vectors = np.empty((len(distinct), width), dtype=np.float32)
        on_cpu = self.device.type == "cpu"
        budget = token_budget or (CPU_TOKENS if on_cpu else ACCELERATOR_TOKENS)
        threads = torch.get_num_threads() if on_cpu else 1
        was_training = self.module.training
        self.module.eval()
        try:
            with _progress(show_progress, len(distinct)) as bar:
                for start in range(0, len(distinct), _TEXTS_AT_ONCE):
                    part = distinct[start : start + _TEXTS_AT_ONCE]
                    tokens = self.tokenize(part, prompt=prompt, instruction=instruction)
                    embed = partial(self._finished, tokens, width, normalize)
                    batches = micro_batches(tokens.lengths, budget, padded=not self.variable_length)
                    for batch, rows in on_all_cores(embed, batches, self._inferring, threads):
                        vectors[start + batch] = rows
                        bar.advance(len(batch))
        finally:
            self.module.train(was_training)
        return vectors[places]

    def _finished(self, tokens: RaggedTokens, width: int, normalize: bool, batch: np.ndarray) -> np.ndarray:
        """The vectors of one micro-batch as they are handed out: float32 ``[len(batch), width]``."""
        vectors = self.embed(tokens.take(batch), normalize=False)[:, :width]
        if normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors.cpu().numpy()

    @contextmanager
    def _inferring(self) -> Iterator[None]:
        with torch.inference_mode(), self.compute_in():
            yield

    def _checked_dim(self, dim: int | None) -> int:
        if dim is None:
            return self.dimension
        if not 1 <= dim <= self.dimension:
            raise InputError(
                f"{dim} is not between 1 and the model's {self.dimension}", field="dim", remedy="Ask for fewer."
            )
        return dim


def _progress(what: str | None, total: int) -> Any:
    return track(what or "", total if what else 0, "texts")
