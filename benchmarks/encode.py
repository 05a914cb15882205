"""Encoding: Cosmith's runtimes against sentence-transformers', fastembed and plain transformers.

The same model, weights and texts for all, in turns. The ONNX and OpenVINO backends of sentence-transformers exclude
each other and need other versions than Cosmith, so they have environments of their own:

python -m venv onnx && onnx/bin/pip install torch==2.13.0 "sentence-transformers[onnx]" fastembed==0.9.1
python -m venv openvino && openvino/bin/pip install torch==2.13.0 "sentence-transformers[openvino]==6.2.0" datasets

python -m benchmarks.encode --data ../shared/data --onnx-python onnx/bin/python --openvino-python openvino/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import interleaved
from benchmarks.encoders import DOORS, prepare
from benchmarks.natural_texts import natural_texts, read_texts, write_texts

MODEL = "all-MiniLM-L6-v2"
ROOF = "roof"
FIGURES = {
    "CPU s a million tokens": False,
    "texts/s": True,
    "of the GEMM roof": True,
    "query p50 ms": False,
    "query p95 ms": False,
    "first vector CPU s": False,
    "first vector s": False,
    "peak MB": False,
    "cosine": True,
    "cosine 1 %": True,
}
COMPARED = ("CPU s a million tokens", "query p50 ms", "first vector CPU s", "peak MB")
"""The figures whose ratios are shown."""
_FLOOR = 0.99  # the mean cosine from which on a form counts as the same model
_WARM_UP = 64
_COMPARED = 1_000  # texts whose vectors are compared with those of sentence-transformers in float32
_QUERIES = 200
_HIDDEN, _LAYERS, _WIDER = 384, 6, 4  # of the model


def work(contestant: str, model: Path, prepared: Path, folder: Path) -> dict[str, float]:
    """Load, encode the texts, then queries one by one; what it took."""
    import numpy as np

    encode = DOORS[contestant].load(model, prepared)
    encode(["how do I change my address"])
    figures = {"first vector CPU s": _spent(), "first vector s": time.time() - float(os.environ[interleaved.STARTED])}
    texts = read_texts(folder / "texts.json")
    encode(texts[:_WARM_UP])
    wall, cpu = time.perf_counter(), _spent()
    vectors = encode(texts[_WARM_UP:])
    wall, cpu = time.perf_counter() - wall, _spent() - cpu
    peak = interleaved.peak_megabytes()
    reference = np.load(folder / "reference.npy")
    near = (vectors[: len(reference)] * reference).sum(1) / np.linalg.norm(vectors[: len(reference)], axis=1)
    times = []
    for query in sorted(texts[_WARM_UP:], key=len)[:: max(1, len(texts) // _QUERIES // 2)][:_QUERIES]:
        began = time.perf_counter()
        encode([query])
        times.append(1_000 * (time.perf_counter() - began))
    return figures | {
        "CPU seconds": cpu,
        "texts/s": len(vectors) / wall,
        "query p50 ms": float(np.percentile(times, 50)),
        "query p95 ms": float(np.percentile(times, 95)),
        "peak MB": peak,
        "cosine": float(near.mean()),
        "cosine 1 %": float(np.percentile(near, 1)),
    }


def roofs() -> dict[str, float]:
    """GFLOP a processor second of products of the model's shapes, 512 tokens at once, by numbers.

    In int8 by oneDNN with weights that it has put in order beforehand, as runtimes do: ``torch._int_mm`` does so at
    every call and reaches half of it (measured).
    """
    import torch

    shapes = [(_HIDDEN, _HIDDEN)] * 4 + [(_HIDDEN, _WIDER * _HIDDEN), (_WIDER * _HIDDEN, _HIDDEN)]

    def rate(
        activations: Callable[[int, int], Any], weights: Callable[[int, int], Any], multiply: Callable[[Any, Any], Any]
    ) -> float:
        pairs = [(activations(512, inner), weights(inner, outer)) for inner, outer in shapes]
        rounds = 0
        for each in pairs:
            multiply(*each)
        began = _spent()
        while _spent() - began < 2:
            for each in pairs:
                multiply(*each)
            rounds += 1
        work = rounds * sum(2 * 512 * inner * outer for inner, outer in shapes)
        return work / (_spent() - began) / 1e9

    def half(rows: int, columns: int) -> torch.Tensor:
        return torch.randn(rows, columns).bfloat16()

    def bytes_of(rows: int, columns: int) -> torch.Tensor:
        return torch.quantize_per_tensor(torch.randn(rows, columns), 0.05, 128, torch.quint8)

    def packed(inner: int, outer: int) -> Any:
        return torch.ops.quantized.linear_prepack(
            torch.quantize_per_tensor(torch.randn(outer, inner), 0.05, 0, torch.qint8)
        )

    torch.backends.quantized.engine = "onednn"
    return {
        "float32": rate(torch.randn, torch.randn, torch.mm),
        "bf16": rate(half, half, torch.mm),
        "int8": rate(bytes_of, packed, lambda left, right: torch.ops.quantized.linear(left, right, 0.5, 128)),
    }


def operations(lengths: Sequence[int]) -> float:
    """Multiplications and additions of all layers' products, attention's included, for texts of these lengths."""
    linear = 2 * (4 + 2 * _WIDER) * _HIDDEN * _HIDDEN
    return float(sum(_LAYERS * (linear * length + 4 * _HIDDEN * length * length) for length in lengths))


def _spent() -> float:
    """Processor seconds since the process began."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of real data sets")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contestants", nargs="+", default=list(DOORS), choices=DOORS, metavar="NAME")
    parser.add_argument("--onnx-python", help="of the environment with sentence-transformers[onnx] and fastembed")
    parser.add_argument("--openvino-python", help="of the environment with sentence-transformers[openvino]")
    parser.add_argument("--prepared", type=Path, help="keep what the libraries export there, and use it again")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare is not None:
        prepare(given.prepare, given.model, given.prepared, read_texts(given.folder / "calibration.json"))
    elif given.worker:
        print(
            json.dumps(
                roofs() if given.worker == ROOF else work(given.worker, given.model, given.prepared, given.folder)
            )
        )
    elif given.data is None:
        parser.error("--data is missing")
    else:
        meet(given)


def meet(given: argparse.Namespace) -> None:
    """Prepare, let all take turns, and write up what came of it."""
    import numpy as np

    from cosmith.models import Encoder, find_model

    pythons = {"": interleaved.THIS_PYTHON, "onnx": given.onnx_python, "openvino": given.openvino_python}
    names = [name for name in given.contestants if pythons[DOORS[name].environment]]
    if missing := sorted(set(given.contestants) - set(names)):
        print(f"left out, their environments not being given: {', '.join(missing)}", flush=True)
    model = find_model(MODEL)
    drawn = natural_texts(given.data, given.texts + _WARM_UP + 512)
    texts, calibration = drawn[:-512], drawn[-512:]
    lengths = Encoder.load(model).tokenize(texts[_WARM_UP:]).lengths
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepared = given.prepared or folder / "prepared"
        prepared.mkdir(parents=True, exist_ok=True)
        write_texts(folder / "texts.json", texts)
        write_texts(folder / "calibration.json", calibration)
        np.save(
            folder / "reference.npy", DOORS["sentence-transformers"].load(model, folder)(texts[_WARM_UP:][:_COMPARED])
        )
        shared = ["--folder", str(folder), "--model", str(model), "--prepared", str(prepared)]
        for environment in sorted({DOORS[name].environment for name in names}):
            done = prepared / f"{environment or 'cosmith'}.done"
            if not done.exists():
                command = [pythons[environment], "-m", "benchmarks.encode", "--prepare", environment, *shared]
                subprocess.run(command, check=True)
                done.touch()
        used = {name: pythons[DOORS[name].environment] for name in names}
        contest = interleaved.Contest("benchmarks.encode", [*names, ROOF], {}, used)
        results = interleaved.run(contest, shared, given.rounds, given.threads)
    figures = [with_roof(result, lengths.tolist()) for result in results]
    arguments = [f"--data {given.data.name} --texts {given.texts} --rounds {given.rounds} --threads {given.threads}"]
    if list(given.contestants) != list(DOORS):
        arguments.append("--contestants " + " ".join(f'"{name}"' for name in given.contestants))
    arguments.append("--onnx-python onnx/bin/python --openvino-python openvino/bin/python")
    told = notes(given, lengths, results)
    interleaved.write_up("Encoding", contest.module, arguments, told, tables(names, figures), given.output)


def tables(names: Sequence[str], results: Sequence[Mapping[str, interleaved.Figures]]) -> str:
    """All figures, and how much better our fastest form is that computes the same model."""

    def median(name: str, figure: str) -> float:
        return statistics.median(each[name][figure] for each in results)

    ours = [name for name in names if name.startswith("cosmith") and median(name, "cosine") >= _FLOOR]
    best = min(ours, key=lambda name: median(name, COMPARED[0]))
    contest = interleaved.Contest("benchmarks.encode", names, FIGURES)
    others = [best, *(name for name in names if name != best)]
    compared = interleaved.Contest("benchmarks.encode", others, {each: FIGURES[each] for each in COMPARED})
    header = ["| | " + " | ".join(COMPARED) + " |", "|---" * (len(COMPARED) + 1) + "|"]
    lines = [*interleaved.medians(contest, results), "", *header, *interleaved.ratios(compared, results)]
    return "\n".join([*lines, "", interleaved.RATIOS])


def with_roof(result: Mapping[str, Mapping[str, float]], lengths: Sequence[int]) -> dict[str, dict[str, float]]:
    """The figures of a round, with those that need the number of tokens and the roof of that round."""
    tokens, done, roof = sum(lengths), operations(lengths) / 1e9, result[ROOF]
    return {
        name: dict(each)
        | {
            "CPU s a million tokens": each["CPU seconds"] / tokens * 1e6,
            "of the GEMM roof": done / each["CPU seconds"] / roof[DOORS[name].roof],
        }
        for name, each in result.items()
        if name != ROOF
    }


def notes(given: argparse.Namespace, lengths: Any, results: Sequence[Mapping[str, Mapping[str, float]]]) -> str:
    """What was measured, and how."""
    rates = {key: statistics.median(each[ROOF][key] for each in results) for key in results[0][ROOF]}
    told = ", ".join(f"{key} {rate:,.0f}" for key, rate in rates.items())
    return (
        f"{given.texts:,} natural texts ({lengths.sum():,} tokens; questions, titles, tweets, sentences, abstracts), "
        f"{MODEL}, at most 256 tokens, {given.threads} thread(s), every library at its defaults but for fastembed "
        f"(batches of 32). Queries: {_QUERIES} of the shorter half of the texts, one by one, by the wall clock. "
        "First vector: from the start of the process. Cosine: to the vectors of sentence-transformers in float32, mean "
        f"and first percentile of {_COMPARED:,} texts. GEMM roof: products of the model's shapes by torch, GFLOP a "
        f"processor second: {told}; OpenVINO without int8 is held against that of bf16, which it takes by itself "
        "where the processor has it. sentence-transformers' ONNX backend needs its release 5.7 with transformers 4.57;"
        " its sessions are given the number of threads, since ONNX Runtime takes no notice of OMP_NUM_THREADS."
    )


if __name__ == "__main__":
    main()
