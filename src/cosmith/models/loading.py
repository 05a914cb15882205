"""One door for encoders, whatever runs them: torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from cosmith.errors import InputError, nearest
from cosmith.models.packaged import find_model
from cosmith.models.runtimes.description import is_export

if TYPE_CHECKING:
    from cosmith.models.encoder import Encoder
    from cosmith.models.protocol import ReadingEncoder

Runtime = Literal["auto", "torch", "onnx", "openvino"]


def load_encoder(
    name_or_folder: str | Path,
    *,
    runtime: Runtime | str = "auto",
    precision: str = "auto",
    device: str = "cpu",
    providers: Sequence[str] = (),
) -> ReadingEncoder:
    """Load a model to encode texts with.

    Args:
        name_or_folder: A model folder, a packaged model, a hub id, a file of word vectors, or a folder that
            ``cosmith export`` made.
        runtime: ``torch``, ``onnx``, ``openvino``, or ``auto``: of an exported folder the fastest form here, tried for
            half a second and remembered; of any other torch. Without torch, torch and transformers are not imported.
        precision: In what to compute: for torch ``auto``, ``float32`` or ``bf16``; for the others which of the exported
            forms, ``auto``, ``float32``, ``float16``, ``int8`` or ``int8-static``.
        device: Where torch computes.
        providers: ONNX Runtime's execution providers in order of preference, for GPUs.

    Returns:
        An :class:`~cosmith.models.Encoder` for torch, else a :class:`~cosmith.models.runtimes.RuntimeEncoder`.

    Raises:
        InputError: When there is no such model, form or runtime.
    """
    if runs_in_torch(name_or_folder, runtime):
        if providers:
            raise InputError("are ONNX Runtime's, not torch's", field="providers", remedy="Leave them out.")
        return load_in_torch(name_or_folder, precision=precision, device=device)
    from cosmith.models.runtimes.encoder import load_runtime

    return load_runtime(name_or_folder, runtime=runtime, precision=precision, providers=providers)


def load_in_torch(path: str | Path, *, precision: str = "auto", device: str = "cpu") -> Encoder:
    """Load what torch runs: a model folder, a packaged model, a hub id, or a file of word vectors.

    Raises:
        InputError: When there is no such model, or the file holds no word vectors.
    """
    from cosmith.models.encoder import Encoder
    from cosmith.models.word_vectors import load_word_vectors

    if Path(path).is_file():
        return load_word_vectors(path).to(device)
    said: Any = precision  # which load checks
    return Encoder.load(path, precision=said, device=device, runtime="torch")


def runs_in_torch(name_or_folder: str | Path, runtime: Runtime | str) -> bool:
    """Whether torch is what runs a model, for a ``runtime`` as of :func:`load_encoder`.

    Raises:
        InputError: When there is no such runtime, or no such model.
    """
    if runtime not in get_args(Runtime):
        raise InputError(
            f"there is no runtime {runtime!r}", field="runtime", remedy=nearest(runtime, get_args(Runtime))
        )
    if runtime == "auto":
        return Path(name_or_folder).is_file() or not is_export(find_model(name_or_folder))
    return runtime == "torch"
