"""An encoder that runs an exported graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models.batched import Item, batched, distinct_of
from cosmith.models.batching import ACCELERATOR_TOKENS, STATIC_TOKENS
from cosmith.models.dimensions import checked_dim
from cosmith.models.fingerprint_parts import spec_parts
from cosmith.models.folder import ModelSpec, read_spec
from cosmith.models.lengths import UNLIMITED
from cosmith.models.packaged import find_model
from cosmith.models.reading import ReadsAsSaved, TextReader
from cosmith.models.runtimes.description import ExportedModel, ExportRuntime, RuntimePrecision, Variant
from cosmith.models.runtimes.session import Session, cores, rectangle
from cosmith.models.runtimes.tokenizer import read_tokenizer
from cosmith.models.runtimes.trial import Trial, try_variants
from cosmith.models.threads import in_threads

# Tokens in a micro-batch on a core: few enough for its cache (with four times as many it is slower, measured).
CORE_TOKENS = 512


class RuntimeEncoder(ReadsAsSaved):
    """An exported model: a :class:`~cosmith.models.TextEncoder` that needs neither torch nor transformers.

    It reads texts as the model that was exported does (same tokens, prompts and truncation), and its graph ends with
    pooling, projections and, where the model has it, normalisation. Micro-batches of texts of similar length go to
    several threads, each of them on one core. An ``int8`` graph measures its activations batch by batch, so that a
    vector depends on the texts beside it; those of the other precisions do not, but for rounding.

    Args:
        folder: The exported folder.
        exported: What it says.
        variant: Which of its graphs.
        session: Runs it.
        threads: How many micro-batches to work on at once.
        providers: With which providers of ONNX Runtime the session was opened.

    Attributes:
        name: What to call it in tables.
        runtime, precision: Of its graph.
    """

    def __init__(
        self,
        folder: Path,
        exported: ExportedModel,
        variant: Variant,
        session: Session,
        *,
        threads: int,
        providers: Sequence[str] = (),
    ) -> None:
        self.folder, self.exported, self.variant, self.threads = folder, exported, variant, threads
        self.name = folder.name
        self.spec: ModelSpec = read_spec(folder)
        self.tokenizer = read_tokenizer(folder, exported, self.spec)
        self._session, self._providers = session, tuple(providers)
        if self.spec.max_length is None and not self.spec.static:
            raise InputError("does not say max_seq_length", path=folder / "sentence_bert_config.json",
                             remedy="Export the model anew.")  # fmt: skip

    @property
    def runtime(self) -> ExportRuntime:
        """What runs it."""
        return self.variant.runtime

    @property
    def precision(self) -> RuntimePrecision:
        """In what numbers it computes."""
        return self.variant.precision

    @property
    def dimension(self) -> int:
        """The length of a full vector."""
        return self.exported.dimension

    @property
    def normalises(self) -> bool:
        """Whether its graph leaves vectors of length one."""
        return self.exported.normalises

    @property
    def max_length(self) -> int:
        """The most tokens of a text that are read, special tokens included."""
        return self.spec.max_length or UNLIMITED

    @property
    def prompts(self) -> Mapping[str, str]:
        """Name → text put before each text of that kind."""
        return self.spec.prompts

    def fingerprint(self) -> str:
        """A hash over the graph, the tokenizer, the prompts and the maximum length."""
        said = (self.variant.name, self.variant.digest, self.tokenizer.fingerprint(), sorted(self.prompts.items()),
                self.spec.default_prompt, self.max_length)  # fmt: skip
        return xxhash.xxh3_128_hexdigest(repr(said).encode("utf-8", "surrogatepass"))

    def fingerprint_parts(self) -> Mapping[str, str]:
        """The same part by part, see :class:`cosmith.models.EmbeddingFingerprint`."""
        # The activations of int8 graphs are scaled batch by batch: a vector depends on the texts beside it.
        runtime = self.variant.name + (", dynamic" if self.precision == "int8" else "")
        exported = {} if self.exported.parts is None else self.exported.parts.parts
        made_from = {name: exported[name] for name in ("weights", "architecture") if name in exported}
        said = {**made_from, "tokenizer": self.tokenizer.fingerprint(), "runtime": runtime}
        said["graph"] = self.variant.digest
        return said | spec_parts(self.spec)

    def _reader(self, prompt: str | None) -> TextReader:
        return TextReader(self.tokenizer, self.prompts, self.spec.default_prompt, self.max_length)

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
        token_budget: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """Encode texts as unit rows; see :meth:`cosmith.models.TextEncoder.encode`.

        Args:
            texts: Any number of texts; equal ones are encoded once.
            prompt, instruction, dim, show_progress: As there.
            token_budget: The most tokens in a micro-batch, padding included; None: by device.

        Raises:
            InputError: When ``dim`` is larger than the model's, or the model has no such prompt.
        """
        vectors, places = self._left(texts, prompt, instruction, dim, show_progress, token_budget)
        found: npt.NDArray[np.float32] = self._of_length_one(vectors)[places]
        return found

    def encode_unscaled(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        instruction: str = "",
        dim: int | None = None,
        show_progress: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """As :meth:`cosmith.models.similarity.UnscaledEncoder.encode_unscaled`."""
        if self.normalises:
            return self.encode(texts, prompt=prompt, instruction=instruction, dim=dim, show_progress=show_progress)
        vectors, places = self._left(texts, prompt, instruction, dim, show_progress, None)
        found: npt.NDArray[np.float32] = vectors[places]
        return found

    def encode_tokens(
        self, tokens: RaggedTokens, *, dim: int | None = None, show_progress: str | None = None
    ) -> npt.NDArray[np.float32]:
        """Encode what :meth:`tokenize` made of texts: float32 ``[len(tokens), dim]``, unit rows, see :meth:`encode`."""
        return self._of_length_one(self._encoded(range(len(tokens)), tokens.take, dim, None, show_progress))

    def _of_length_one(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Rows that the graph left, perhaps cut, made unit length in place where they are not."""
        if not self.normalises or vectors.shape[1] < self.dimension:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _left(
        self,
        texts: Sequence[str],
        prompt: str | None,
        instruction: str,
        dim: int | None,
        show_progress: str | None,
        token_budget: int | None,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """What the graph gives for the different texts, cut ``[different, dim]``, and which of them each text is."""
        checked_dim(dim, self.dimension)
        self._reader(prompt).prompt(prompt, instruction)  # an unknown prompt shall fail before anything is done
        distinct, places = distinct_of(texts)
        tokenize = partial(self.tokenize, prompt=prompt, instruction=instruction)
        return self._encoded(distinct, tokenize, dim, token_budget, show_progress), places

    def _encoded(
        self, items: Sequence[Item], tokenize: Callable[[Sequence[Item]], RaggedTokens], dim: int | None,
        token_budget: int | None, show_progress: str | None,
    ) -> npt.NDArray[np.float32]:  # fmt: skip
        width = checked_dim(dim, self.dimension)
        vectors = np.empty((len(items), self.dimension), dtype=np.float32)
        for numbers, rows in batched(
            items,
            tokenize=tokenize,
            embed=self.embed,
            share_out=lambda work, batches: in_threads(work, batches, nullcontext, self.threads),
            token_budget=token_budget or self._token_budget,
            padded=True,
            show_progress=show_progress,
        ):
            vectors[numbers] = rows
        return vectors[:, :width]

    @property
    def _token_budget(self) -> int:
        if self.spec.static:
            return STATIC_TOKENS
        return ACCELERATOR_TOKENS if self._providers else CORE_TOKENS

    def embed(self, tokens: RaggedTokens) -> npt.NDArray[np.float32]:
        """The vectors of one micro-batch, float32 ``[len(tokens), dimension]``."""
        return self._session(*rectangle(tokens, self.exported.padding or 0))

    def __reduce__(self) -> tuple[Callable[..., RuntimeEncoder], tuple[Any, ...]]:
        """In another process, the session is opened anew, for the same prompts."""
        opened = partial(
            load_runtime, self.folder.resolve(), runtime=self.runtime, precision=self.precision,
            providers=self._providers, threads=self.threads,
        )  # fmt: skip
        return _opened_as, (opened, self.name, self.spec)


def _opened_as(opened: Callable[[], RuntimeEncoder], name: str, spec: ModelSpec) -> RuntimeEncoder:
    encoder = opened()
    encoder.name, encoder.spec = name, spec
    return encoder


def load_runtime(
    name_or_folder: str | Path,
    *,
    runtime: ExportRuntime | str = "auto",
    precision: RuntimePrecision | str = "auto",
    providers: Sequence[str] = (),
    threads: int | None = None,
) -> RuntimeEncoder:
    """Load an exported model; neither torch nor transformers is imported.

    Args:
        name_or_folder: An exported folder (``cosmith export``), or the hub id of one.
        runtime: ``onnx``, ``openvino`` or ``auto``.
        precision: ``float32``, ``float16``, ``int8``, ``int8-static`` or ``auto``. Where the folder holds several forms
            that fit, the fastest here is taken, see :func:`~cosmith.models.runtimes.try_variants`.
        providers: For ONNX Runtime: its execution providers in order of preference, for GPUs.
        threads: How many micro-batches to work on at once; None: as many as there are cores (``OMP_NUM_THREADS``
            where it is set), with providers one.

    Raises:
        InputError: When there is no such model or form, the runtime is not installed, or a file has changed.
    """
    folder = find_model(name_or_folder)
    exported = ExportedModel.read(folder)
    found = exported.choose("onnx" if providers and runtime == "auto" else runtime, precision, folder)
    if providers and any(each.runtime != "onnx" for each in found):
        raise InputError("are ONNX Runtime's", field="providers", remedy="Leave them out, or ask for runtime='onnx'.")
    lanes = threads or (1 if providers else cores())

    load = partial(_load, folder, exported, threads=lanes, providers=providers)
    if len(found) == 1:
        return load(found[0])
    return load(try_variants(folder, found, load, lanes, providers=providers).fastest)


def try_folder(folder: Path, *, again: bool = False) -> Trial:
    """Try which form of an exported folder is the fastest here, as :func:`load_runtime` does where it may choose.

    Args:
        folder: An exported folder.
        again: Try them even if that was done before.

    Raises:
        InputError: When it is none, or, unless the outcome is remembered, a file has changed.
    """
    exported, lanes = ExportedModel.read(folder), cores()
    load = partial(_load, folder, exported, threads=lanes)
    return try_variants(folder, exported.variants, load, lanes, again=again)


def _load(
    folder: Path, exported: ExportedModel, variant: Variant, *, threads: int, providers: Sequence[str] = ()
) -> RuntimeEncoder:
    variant.require_whole(folder)
    session = _open(folder, variant, threads, providers)
    return RuntimeEncoder(folder, exported, variant, session, threads=threads, providers=providers)


def _open(folder: Path, variant: Variant, threads: int, providers: Sequence[str]) -> Session:
    path = folder / variant.files[0]
    if variant.runtime == "onnx":
        from cosmith.models.runtimes.onnx_session import open_onnx

        return open_onnx(path, providers)
    from cosmith.models.runtimes.openvino_session import open_openvino

    longest = read_spec(folder).max_length or UNLIMITED
    return open_openvino(path, threads, longest=longest, exact=variant.precision == "float32")
