"""What a model keeps of its quality in every form: runtimes, precisions, and compressed vectors, on four test sets.

python -m benchmarks.quality.forms --data ../shared/data --folder forms

Exports, the set of Python functions and all vectors are kept in ``--folder``: a run that was killed goes on from there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import options
from benchmarks.quality.subsets import draw_test
from cosmith import Encoder, Scores, load_encoder
from cosmith.atomic import atomic_folder
from cosmith.compression import export
from cosmith.compression.planning.model_forms import FULL, ModelForm, parse_model_forms
from cosmith.compression.planning.vector_choices import without_search
from cosmith.data import build_python_docs, collect_functions
from cosmith.evaluation import read_task, sweep_compressed
from cosmith.evaluation.choosing import sampled
from cosmith.evaluation.tables import markdown_table
from cosmith.evaluation.tasks import EvaluationTask, RetrievalTask
from cosmith.evaluation.tasks.task import encode_texts
from cosmith.models import CachedEncoder, TextEncoder, VectorCache
from cosmith.retrieval.compressed import Coding, FittedCoding, SearchForm, parse_form, parse_forms

TASKS = ("scifact", "stsb", "banking77", "python-functions")
RUNTIMES = "torch, onnx, onnx int8-static, openvino"
_CALIBRATION = 256  # texts; as many others show the fidelity of an export
_FUNCTIONS = {"train_pairs": 10_500, "dev_queries": 300, "dev_documents": 600, "test_queries": 1_000,
              "test_documents": 3_000}  # fmt: skip
"""As the recipe ``python-docs`` has them."""


def vector_forms(dimension: int) -> tuple[SearchForm, ...]:
    """Codes, shorter vectors, and ways to search them."""
    half, third, quarter, part = dimension // 2, dimension // 3, dimension // 4, f"pq{dimension // 8}"
    return parse_forms(
        f"float16; int8; uint8; binary; rabitq; {part};"
        f" cut{half}+int8; pca{half}+int8; cut{third}+int8; pca{third}+float32; whitened{third}+float32;"
        f" pca{third}+int8; cut{quarter}+int8; pca{quarter}+int8; pca{third}+binary; pca{third}+rabitq;"
        f" binary, rescored x4 by int8; binary, rescored x10 by int8; rabitq, rescored x4 by int8;"
        f" {part}, rescored x4 by int8; pca{third}+rabitq, rescored x4 by int8; hnsw-sq8; ivf-rabitq;"
        " ivf-rabitq, rescored x3 by int8"
    )


@dataclass(frozen=True)
class Work:
    """What is scored, and where what was made is kept.

    Attributes:
        model: A model folder or a packaged model.
        exports: Where its exports are kept.
        cache: The vectors of all forms of the model.
    """

    model: str
    exports: Path
    cache: VectorCache

    def load(self, form: ModelForm) -> TextEncoder:
        """The model in a form, which must have been made, with the vectors that it has given before."""
        place = self.model if form.runtime == "torch" else self.place(form)
        return CachedEncoder(
            load_encoder(place, runtime=form.runtime, precision=form.precision), self.cache, frozen=True
        )

    def place(self, form: ModelForm) -> Path:
        """Where an export stands."""
        return self.exports / str(form).replace(" ", "-")

    def make(self, form: ModelForm, texts: Sequence[str]) -> None:
        """Export a form, if it is not there, whatever it loses."""
        if form.runtime == "torch" or self.place(form).exists():
            return
        export(
            Encoder.load(self.model, precision="float32"), self.place(form),
            runtimes=[form.runtime], precisions=[form.precision],  # type: ignore[list-item]
            calibration=texts[1::2] if form.precision == "int8-static" else (), texts=texts[::2], floor=-1,
        )  # fmt: skip

    def megabytes(self, form: ModelForm) -> float:
        """Of its weights."""
        if form.runtime == "torch":
            from cosmith.models import find_model

            return sum(file.stat().st_size for file in Path(find_model(self.model)).glob("*.safetensors")) / 1e6
        known = json.loads((self.place(form) / "fidelity.json").read_text(encoding="utf-8"))
        return float(known["forms"][0]["bytes"]) / 1e6


def runtimes_table(work: Work, task: EvaluationTask, forms: Sequence[ModelForm]) -> str:
    """Every form of the model, scored with whole vectors."""
    whole = work.load(FULL)
    reference, full = all_vectors(whole, task), task.evaluate(whole)
    rows = []
    for form in forms:
        encoder = work.load(form)
        scores = full if form == FULL else task.evaluate(encoder)
        near = "" if form == FULL else cosines(all_vectors(encoder, task), reference)
        rows.append([str(form), f"{work.megabytes(form):,.0f}", *_scored(scores, full), *(near or ("", ""))])
        print(f"{task.name}: {' | '.join(rows[-1])}", flush=True)
    header = ["model", "MB", full.main, "over torch float32", "mean cosine", "1st percentile"]
    return markdown_table(f"{task.name}: what runs the model", header, rows)


def vectors_table(encoder: TextEncoder, task: EvaluationTask, forms: Sequence[SearchForm]) -> str:
    """Every form of the vectors that the model gives in float32 by torch."""
    searches = isinstance(task, RetrievalTask)
    asked = forms if searches else tuple(form for form in forms if without_search(form) == form)
    vectors = all_vectors(encoder, task)
    rows = []
    found = sweep_compressed(encoder, task, asked).forms
    for each in found:
        near = ("", "")
        if each is not found[0]:
            fitted = FittedCoding.fit(codes_of(parse_form(each.name)), vectors)
            near = cosines(fitted.decode(fitted.encode(vectors)), vectors)
        cost = each.cost
        finer = f" + {cost.finer_bytes:,.0f}" if cost is not None and cost.finer_bytes else ""
        recall = [] if cost is None else [f"{cost.recall:.3f}"]
        rows.append([each.name, f"{each.bytes:,.0f}{finer}", *_scored(each.scores, found[0].scores), *recall, *near])
    header = ["vectors", "bytes", found[0].scores.main, "over float32"]
    header += ["nearest 10 found"] * searches + ["mean cosine", "1st percentile"]
    return markdown_table(f"{task.name}: vectors of torch float32", header, rows)


def codes_of(form: SearchForm) -> Coding:
    """The finest codes of a form; of a structure those in it."""
    coding = without_search(form).first
    assert isinstance(coding, Coding)
    return coding


def _scored(scores: Scores, full: Scores) -> tuple[str, str]:
    """The main metric with its interval, and what it has over the whole model's, item by item."""
    value = f"{scores.value:.4f} {scores.intervals[scores.main]}"
    if scores is full:
        return value, ""
    change = scores.compare(full)
    return value, f"{change.difference:+.4f} {change.interval}"


def all_vectors(encoder: TextEncoder, task: EvaluationTask) -> np.ndarray:
    """Unit rows of all texts of a task."""
    return np.concatenate([encode_texts(encoder, part, instruction=task.instruction) for part in task.texts()])


def cosines(vectors: np.ndarray, reference: np.ndarray) -> tuple[str, str]:
    """Of each row to its unit row in the reference: mean and first percentile."""
    near = (vectors * reference).sum(1) / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    return f"{near.mean():.4f}", f"{np.percentile(near, 1):.4f}"


def read_tasks(given: argparse.Namespace) -> Iterator[EvaluationTask]:
    """The tasks, or the parts of them that were asked for."""
    for name in given.tasks:
        if name == "python-functions":
            functions = given.functions or given.folder / "functions"
            if not functions.exists():
                with atomic_folder(functions) as place:
                    build_python_docs(collect_functions(), place, **_FUNCTIONS)
            task = read_task(functions / "test" if (functions / "test").exists() else functions, name=name).task
        else:
            task = read_task(given.data / name).task
        if given.documents and isinstance(task, RetrievalTask):
            whole = task.data
            task = replace(task, data=draw_test(whole, len(whole.queries), given.documents))
        yield sampled(task, given.sample) if given.sample else task


def size_of(task: EvaluationTask) -> str:
    """How many texts there are of each sort."""
    return f"{task.name} ({', '.join(f'{len(part.texts):,} {part.what}' for part in task.texts())})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with scifact, stsb and banking77")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="a model folder or a packaged model")
    parser.add_argument("--name", help="what to call it; by default its folder's name")
    parser.add_argument("--folder", type=Path, required=True, help="where exports and vectors are kept")
    parser.add_argument("--functions", type=Path, help="the test set of `make demo` (data/test); left out: made anew")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--runtimes", default=RUNTIMES, help="forms of the model, with commas between them")
    parser.add_argument("--documents", type=int, help="of a search: all judged ones, and others up to this number")
    parser.add_argument("--sample", type=int, help="queries, pairs or texts of each task, at most")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    tasks = list(read_tasks(given))
    texts = [text for task in tasks for part in task.texts() for text in part.texts]
    chosen = np.random.default_rng(0).permutation(len(texts))[: 2 * _CALIBRATION]
    drawn = [texts[number] for number in chosen.tolist()]
    forms = tuple(dict.fromkeys([FULL, *parse_model_forms(given.runtimes)]))
    given.folder.mkdir(parents=True, exist_ok=True)
    with VectorCache(given.folder / "vectors.sqlite", memory_bytes=10**9) as cache:
        encoder = Encoder.load(given.model, precision="float32")
        name = given.name or Path(given.model).name
        work = Work(given.model, given.folder / f"{name}-{encoder.fingerprint()[:8]}", cache)
        for form in forms:
            work.make(form, drawn)
        tables: list[str] = []
        for number, task in enumerate(tasks):
            tables.append(runtimes_table(work, task, forms))
            write(given, tasks[: number + 1], "\n\n".join(tables))
            tables.append(vectors_table(work.load(FULL), task, vector_forms(encoder.dimension)))
            write(given, tasks[: number + 1], "\n\n".join(tables))


def write(given: argparse.Namespace, tasks: Sequence[EvaluationTask], tables: str) -> None:
    """Write what is known, with what it means."""
    model = given.name or Path(given.model).name
    drawn = (
        " Of a search, all judged documents were kept and others drawn up to the number given, so values compare"
        " within this table only."
    )
    given = argparse.Namespace(**vars(given) | {"tasks": [task.name for task in tasks]})
    notes = (
        f"{model} on {'; '.join(map(size_of, tasks))}. Python functions: found by the first sentence of their"
        " docstring, as in `make demo`. Differences are taken item by item, with 95 % intervals."
        f"{drawn if given.documents or given.sample else ''}\n\nModel: cosines are those of each text's vector to that"
        f" of torch in float32. `int8-static` was calibrated on {_CALIBRATION} texts of these sets. Vectors of `int8`"
        " depend on the texts beside them.\n\nVectors: bytes are"
        " those of what is searched + those of the finer copy that puts candidates in order. Cosines are those of what"
        " codes stand for to the whole vectors; where a form searches twice, of the finer codes; of a structure, of"
        " the codes in it. Where nothing is searched, texts are scored by what codes stand for. Codes are fit on the"
        " set's own texts, which flatters product quantisation where these are few: it has 256 centroids for each part."
    )
    title, module = f"What {model} keeps in other forms", "benchmarks.quality.forms"
    told = {name: value for name, value in vars(given).items() if (name, value) != ("runtimes", RUNTIMES)}
    given = argparse.Namespace(**told | {"model": Path(given.model).name})
    interleaved.write_up(title, module, options(given), notes, tables, given.output)


if __name__ == "__main__":
    main()
