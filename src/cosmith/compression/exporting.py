"""Writing a model for other runtimes, in other numbers, with a report of what it loses."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.compression.fidelity import Fidelity, cosines, task_change
from cosmith.compression.graph import whole, write_graph
from cosmith.compression.openvino_graph import transpose_keys_in_products
from cosmith.compression.quantisation import (
    Batch,
    fold_products_of_weights,
    import_nncf,
    products_of_activations,
    quantise_dynamic,
    quantise_static,
    require_quantiser,
)
from cosmith.errors import InputError, nearest
from cosmith.models import Encoder
from cosmith.models.batching import micro_batches
from cosmith.models.fingerprint_parts import embedding_fingerprint
from cosmith.models.runtimes.description import (
    DESCRIPTION,
    IMPOSSIBLE,
    RUNTIME_PRECISIONS,
    RUNTIMES,
    ExportedModel,
    ExportRuntime,
    RuntimePrecision,
    Variant,
    digest_of,
)
from cosmith.models.runtimes.encoder import CORE_TOKENS, load_runtime
from cosmith.models.runtimes.openvino_session import import_openvino
from cosmith.models.runtimes.session import rectangle
from cosmith.models.saving import write_without_backbone
from cosmith.progress import track

if TYPE_CHECKING:
    from cosmith.evaluation.tasks import EvaluationTask

FLOOR = 0.99
_SAMPLE = 1_000  # texts on which the fidelity is measured
_CALIBRATION = 256  # texts on which the activations are measured
_EXACT = 1 - 1e-5  # cosine under which a float32 graph does not compute what the model does
_ONNX_NAMES = {
    "float32": "model",
    "float16": "model_float16",
    "int8": "model_qint8",
    "int8-static": "model_qint8_static",
}
_OPENVINO_NAMES = {
    "float32": "openvino_model",
    "float16": "openvino_model_float16",
    "int8-static": "openvino_model_qint8_quantized",
}


def export(
    encoder: Encoder,
    folder: str | Path,
    *,
    runtimes: Sequence[ExportRuntime] = ("onnx",),
    precisions: Sequence[RuntimePrecision] = ("float32",),
    calibration: Sequence[str] = (),
    texts: Sequence[str] | None = None,
    tasks: Sequence[EvaluationTask] = (),
    floor: float = FLOOR,
    seed: int = 0,
) -> tuple[Fidelity, ...]:
    """Write a model as graphs for other runtimes, each with pooling, projections and normalisation inside, as the
    model has them.

    The folder has sentence-transformers' layout (``onnx/model.onnx``, ``openvino/openvino_model.xml`` beside tokenizer
    and module configurations) but no weights for torch. Load it with :func:`cosmith.load_encoder`.

    Args:
        encoder: The model; it is left as it is.
        folder: Where; an earlier export there is replaced as a whole.
        runtimes: For which; each gets all precisions, but OpenVINO no ``int8``, which it has not.
        precisions: In what numbers. ``float16``: weights and computation. ``int8``: weights by channel, activations
            scaled batch by batch. ``int8-static``: activations scaled by what ``calibration`` gave.
        calibration: For ``int8-static``: texts like those that will be encoded; a few hundred.
        texts: On which the fidelity is measured, the first thousand of them; None: the general check set's.
        tasks: Test sets on which the change of the main metric is measured.
        floor: The lowest mean cosine to the model in float32 that is written; of the float32 graphs more is asked.
        seed: For the intervals.

    Returns:
        The fidelity of each form, which also stands in ``fidelity.json``.

    Raises:
        InputError: When a form, or every one of a runtime, is not to be had, one is below the floor (nothing is written
            then), or the folder holds something else.
    """
    forms = _checked_forms(runtimes, precisions, calibration, floor)
    sample = list(_general_texts() if texts is None else texts)[:_SAMPLE]
    if not sample:
        raise InputError("there are none to measure the fidelity on", field="texts", remedy="Give some.")
    require_quantiser()
    if "openvino" in runtimes:
        import_openvino()
    if "int8-static" in precisions:
        import_nncf()
    target = Path(folder)
    require_replaceable(target, DESCRIPTION, "an exported model")
    model = whole(encoder)
    with atomic_folder(target) as place, TemporaryDirectory() as workshop:
        words: Any = model.tokenizer.tokenizer
        spec = replace(model.spec, max_length=model.max_length)
        modules = [model.module[name] for name in ("latent_attention",) if name in model.module]
        modules += list(iter(model.module["dense"]))  # type: ignore[call-overload]
        write_without_backbone(place, model.module["backbone"], modules, model.tokenizer, spec)
        described = ExportedModel(
            dimension=model.dimension,
            made_from=encoder.fingerprint(),
            vocabulary=int(model.module["backbone"].get_input_embeddings().num_embeddings),  # type: ignore[operator]
            padding=words.pad_token_id,
            end=words.eos_token_id,
            special=tuple(words.all_special_ids),
            variants=(),
            normalises=model.normalises,
            parts=embedding_fingerprint(encoder),
        )
        reference = model.encode(sample, prompt="document", show_progress="Encoding with torch")
        before = [task.evaluate(model, seed=seed, model=model.name) for task in tasks]
        makers = _Makers(model, Path(workshop), calibration)
        found: list[Fidelity] = []
        for runtime, precision in forms:
            with track(f"Writing {runtime} {precision}", 1, "graphs") as bar:
                variant = makers.write(place, runtime, precision)
                bar.advance()
            replace(described, variants=(variant,)).write(place)
            made = load_runtime(place, runtime=runtime, precision=precision)
            near = cosines(made, sample, reference, show_progress=f"Encoding with {variant.name}")
            _require_near(variant, near, floor)
            changes = tuple(
                task_change(scores, task.evaluate(made, seed=seed, model=variant.name))
                for task, scores in zip(tasks, before, strict=True)
            )
            found.append(
                Fidelity(
                    runtime, precision, variant.bytes_in(place), len(sample), float(near.mean()),
                    float(np.percentile(near, 1)), float(near.min()), changes,
                )
            )  # fmt: skip
            described = replace(described, variants=(*described.variants, variant))
        described.write(place)
        write_json(place / "fidelity.json", {"floor": floor, "forms": [each.as_json() for each in found]})
    return tuple(found)


def _checked_forms(
    runtimes: Sequence[str], precisions: Sequence[str], calibration: Sequence[str], floor: float
) -> list[tuple[ExportRuntime, RuntimePrecision]]:
    """Every runtime with every precision that it has."""
    for given, known, field in ((runtimes, RUNTIMES, "runtime"), (precisions, RUNTIME_PRECISIONS, "precision")):
        for each in given:
            if each not in known:
                raise InputError(f"there is no {field} {each!r}", field=field, remedy=nearest(each, known))
        if not given:
            raise InputError("none is given", field=field, remedy=f"Give one of: {', '.join(known)}.")
    asked = [(runtime, precision) for runtime in dict.fromkeys(runtimes) for precision in dict.fromkeys(precisions)]
    chosen = [form for form in asked if form not in IMPOSSIBLE]
    idle = next((form for form in asked if form[0] not in {runtime for runtime, _ in chosen}), None)
    if idle is not None:
        raise InputError(f"nothing is left for {idle[0]}: {IMPOSSIBLE[idle]}", field="precision",
                         remedy="Ask for int8-static, with texts to calibrate it on.")  # fmt: skip
    if ("int8-static" in precisions) != bool(calibration):
        problem = "int8-static needs texts" if not calibration else "only int8-static reads them"
        raise InputError(problem, field="calibrate",
                         remedy="Ask for int8-static and give texts like yours, or neither.")  # fmt: skip
    if not -1 <= floor <= 1:
        raise InputError(f"is {floor}, but is a cosine", field="floor", remedy="Give a number from 0 to 1.")
    return chosen  # type: ignore[return-value]


def _require_near(variant: Variant, near: npt.NDArray[np.float64], floor: float) -> None:
    mean = float(near.mean())
    if variant.precision == "float32" and mean < _EXACT:
        raise InputError(
            f"the {variant.runtime} graph does not compute what the model does (mean cosine {mean:.6f})", field="model",
            remedy="Its architecture cannot be exported; use it with torch.",
        )  # fmt: skip
    if not mean >= floor:
        raise InputError(
            f"{variant.name} is below the floor: mean cosine {mean:.4f}, first percentile"
            f" {np.percentile(near, 1):.4f}, floor {floor:g}; nothing was written", field="floor",
            remedy="Ask for another precision, or set a lower floor if its change on your own task is small.",
        )  # fmt: skip


def _general_texts() -> list[str]:
    from cosmith.data import general_check_collection

    collection = general_check_collection()
    return [*collection.queries.values(), *collection.documents.values()]


class _Makers:
    """Writes the forms of one model; graphs that several need are made once.

    Args:
        model: A whole one.
        workshop: A folder for what is in between.
        calibration: Texts for int8-static.
    """

    def __init__(self, model: Encoder, workshop: Path, calibration: Sequence[str]) -> None:
        self._model, self._workshop = model, workshop
        step = max(1, len(calibration) // _CALIBRATION)
        self._calibration = list(calibration)[::step][:_CALIBRATION]

    def write(self, place: Path, runtime: ExportRuntime, precision: RuntimePrecision) -> Variant:
        """Write one form into a folder, under sentence-transformers' names."""
        files = self._write_onnx if runtime == "onnx" else self._write_openvino
        names = files(place, precision)
        return Variant(runtime, precision, names, digest_of([place / name for name in names]))

    def _write_onnx(self, place: Path, precision: RuntimePrecision) -> tuple[str, ...]:
        name = f"onnx/{_ONNX_NAMES[precision]}.onnx"
        (place / "onnx").mkdir(exist_ok=True)
        shutil.copyfile(self._graph(precision), place / name)
        return (name,)

    def _write_openvino(self, place: Path, precision: RuntimePrecision) -> tuple[str, ...]:
        openvino = import_openvino()
        stem = f"openvino/{_OPENVINO_NAMES[precision]}"
        (place / "openvino").mkdir(exist_ok=True)
        graph = openvino.Core().read_model(str(self._graph("float32")))
        transpose_keys_in_products(graph)
        if precision == "int8-static":
            graph = self._calibrated(graph)
        openvino.save_model(graph, str(place / f"{stem}.xml"), compress_to_fp16=precision == "float16")
        return f"{stem}.xml", f"{stem}.bin"

    def _graph(self, precision: RuntimePrecision) -> Path:
        path = self._workshop / f"{precision}.onnx"
        if not path.exists():
            make: dict[str, Callable[[], None]] = {
                "float32": partial(write_graph, self._model, path),
                "float16": partial(write_graph, self._model, path, half=True),
                "int8": lambda: quantise_dynamic(self._graph("float32"), path),
                "int8-static": lambda: self._write_calibrated(path),
            }
            make[precision]()
        return path

    def _write_calibrated(self, path: Path) -> None:
        import onnx

        model = onnx.load(str(self._graph("float32")))
        fold_products_of_weights(model.graph)
        onnx.save(self._calibrated(model), str(path))

    def _calibrated(self, graph: Any) -> Any:
        return quantise_static(graph, self._batches(), products_of_activations(self._graph("float32")))

    def _batches(self) -> list[Batch]:
        """The calibration's micro-batches as the runtimes read them."""
        tokens = self._model.tokenize(self._calibration, prompt="document")
        rectangles = (
            rectangle(tokens.take(numbers), self._model.tokenizer.tokenizer.pad_token_id or 0)
            for numbers in micro_batches(tokens.lengths, CORE_TOKENS, padded=True)
        )
        return [{"input_ids": ids, "attention_mask": mask} for ids, mask in rectangles]
