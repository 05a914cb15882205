"""What can run a model, and in what numbers: the forms of a model that a plan compares."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from cosmith.errors import InputError, nearest
from cosmith.models.loading import Runtime
from cosmith.models.runtimes.description import IMPOSSIBLE, RUNTIME_PRECISIONS

if TYPE_CHECKING:
    from cosmith.compression.fidelity import Fidelity
    from cosmith.models import Encoder

_RUNTIMES = tuple(each for each in get_args(Runtime) if each != "auto")
_EXACT = 1 - 1e-5
"""Cosine from which on two vectors are the same but for rounding."""


@dataclass(frozen=True)
class ModelForm:
    """What runs a model, and in what numbers.

    Attributes:
        runtime: ``torch``, ``onnx`` or ``openvino``.
        precision: As of :func:`cosmith.load_encoder`.
    """

    runtime: str
    precision: str

    def __str__(self) -> str:
        return f"{self.runtime} {self.precision}"


FULL = ModelForm("torch", "float32")
"""That with which all others are compared."""

_TRIED = {
    "torch": ("float32", "bf16"),
    "onnx": ("float32", "float16", "int8"),
    "openvino": ("float32", "float16", "int8-static"),
}
"""Of a runtime that is named without a precision. ONNX Runtime gains no time by int8-static: it is made if named."""


@dataclass(frozen=True)
class MadeForm:
    """A form of a model that can be loaded.

    Attributes:
        form: Which.
        place: Its folder, or the name by which the model was given.
        fidelity: How near its vectors are to those of the model; None for torch.
    """

    form: ModelForm
    place: str
    fidelity: Fidelity | None = None

    @property
    def is_exact(self) -> bool:
        """Whether its vectors are those of the model in float32 but for rounding, so that it scores alike."""
        return self.form == FULL or (self.fidelity is not None and self.fidelity.least >= _EXACT)


def parse_model_forms(said: str) -> tuple[ModelForm, ...]:
    """Forms with commas between them, each once: ``torch, onnx int8``; a runtime alone is all that is usual of it.

    Raises:
        InputError: When there is no such runtime or precision, or none is named.
    """
    found: list[ModelForm] = []
    for part in filter(None, (part.strip() for part in said.split(","))):
        runtime, _, precision = part.partition(" ")
        if runtime not in _RUNTIMES:
            raise InputError(f"there is no runtime {runtime!r}", field="runtimes", remedy=nearest(runtime, _RUNTIMES))
        known = _TRIED["torch"] if runtime == "torch" else RUNTIME_PRECISIONS
        precision = precision.strip()
        if precision and precision not in known:
            raise InputError(f"{part!r}: {runtime} has no precision {precision!r}", field="runtimes",
                             remedy=nearest(precision, known))  # fmt: skip
        if (runtime, precision) in IMPOSSIBLE:
            raise InputError(IMPOSSIBLE[runtime, precision], field="runtimes",
                             remedy="Name openvino int8-static.")  # fmt: skip
        found += [ModelForm(runtime, each) for each in ([precision] if precision else _TRIED[runtime])]
    if not found:
        raise InputError("names none", field="runtimes", remedy="Name some, e.g. 'torch, onnx int8'.")
    return tuple(dict.fromkeys(found))


def forms_here(encoder: Encoder, asked: Sequence[ModelForm] | None) -> tuple[tuple[ModelForm, ...], tuple[str, ...]]:
    """The forms to compare, the full one first, and in words those that are left out.

    Args:
        encoder: The model.
        asked: Those that were asked for; None: all that are usual and can be had here.

    Raises:
        InputError: When one that was asked for needs what is not installed, or the model cannot take it.
    """
    from cosmith.models.precision import has_bf16

    wanted = asked or [ModelForm(runtime, precision) for runtime in _TRIED for precision in _TRIED[runtime]]
    kept: list[ModelForm] = [FULL]
    notes: list[str] = []
    for form in wanted:
        reason = _missing(form)
        if encoder.is_static and form != FULL:
            reason = "a static model adds up vectors of tokens, for which there is nothing to gain"
        elif form.precision == "bf16" and asked is None and not has_bf16(encoder.device):
            reason = "this processor is not fast in bf16"
        if reason is None:
            kept.append(form)
        elif asked is not None:
            raise InputError(f"{form}: {reason}", field="runtimes", remedy="Leave it out, or install what it needs.")
        else:
            notes.append(f"{form} is left out: {reason}.")
    return tuple(dict.fromkeys(kept)), _together(notes) if encoder.is_static else tuple(notes)


def _together(notes: Sequence[str]) -> tuple[str, ...]:
    return ("ONNX Runtime, OpenVINO and bf16 are left out: a static model only adds up vectors of tokens.",) * bool(
        notes
    )


def _missing(form: ModelForm) -> str | None:
    """Why a form cannot be made here; None where it can."""
    needed = {"torch": (), "onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "onnxruntime", "openvino")}
    calibrates = ("nncf",) if form.precision == "int8-static" else ()
    missing = [name for name in (*needed[form.runtime], *calibrates) if find_spec(name) is None]
    return f"needs {' and '.join(missing)}, not installed here" if missing else None


def make_form(
    encoder: Encoder, place: str, form: ModelForm, workshop: Path, *, texts: Sequence[str], calibration: Sequence[str]
) -> MadeForm:
    """A form, ready to be loaded.

    Args:
        encoder: The model in float32.
        place: By what name it was loaded.
        form: Which.
        workshop: A folder for what is exported. What a form loses is for the plan to judge: there is no floor.
        texts: On which its fidelity is measured.
        calibration: Texts for int8-static.

    Raises:
        InputError: When it cannot be made of this model.
    """
    if form.runtime == "torch":
        return MadeForm(form, place)
    from cosmith.compression.exporting import export

    folder = workshop / str(form).replace(" ", "-")
    (fidelity,) = export(
        encoder, folder, runtimes=[form.runtime], precisions=[form.precision], texts=texts, floor=-1,  # type: ignore[list-item]
        calibration=calibration if form.precision == "int8-static" else (),
    )  # fmt: skip
    return MadeForm(form, str(folder), fidelity)


def write_form(made: MadeForm, folder: Path) -> None:
    """Put a form of a model into an empty folder.

    Raises:
        InputError: When the model is no more where it was.
    """
    if made.form.runtime != "torch":
        shutil.copytree(made.place, folder, dirs_exist_ok=True)
        return
    from cosmith.models import Encoder

    Encoder.load(made.place, precision="float32").save(folder)
