"""Search: Cosmith's forms of vectors against faiss and usearch used plainly, on the same vectors, in turns.

usearch ends a process that has ONNX Runtime in it, so it has an environment of its own:

python -m venv usearch && usearch/bin/pip install usearch numpy

python -m benchmarks.search --data ../shared/data --folder search --usearch-python usearch/bin/python

Of a million vectors that takes a core about three quarters of an hour, most of it to build. Vectors, and what each
contestant has built, are kept in ``--folder``; a run that was killed goes on from there. Those that take longest to
build are left out unless ``--contestants`` names them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import interleaved
from benchmarks.searchers import PEERS, SEARCHERS, USUAL

STATIC = "static"
MODEL = "all-MiniLM-L6-v2"
FIGURES = {
    "bytes": False,
    "build CPU s": False,
    "build peak MB": False,
    "single queries/CPU s": True,
    "batch queries/CPU s": True,
    "recall@10": True,
    "peak MB": False,
}
_SINGLE_SECONDS, _FEWEST, _MOST = 2.0, 10, 500
"""Single queries are asked until so much processor time is spent, but so many at least and at most."""
_BATCH_SECONDS, _BATCH = 3.0, 250
"""Likewise batches of so many queries, but one at least."""


def build(contestant: str, folder: Path, k: int) -> dict[str, float]:
    """Build a search once, in a folder of its own; what it took, and what it finds."""
    place = folder / "built" / contestant.replace(" ", "-")
    told = place / "built.json"
    if not told.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        began = _spent()
        SEARCHERS[contestant].build(vectors, place)
        spent, peak = _spent() - began, interleaved.peak_megabytes()
        stored = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        queries, exact = np.load(folder / "queries.npy"), np.load(folder / "exact.npy")
        found = SEARCHERS[contestant].load(place)(queries, k)
        recall = float((found[:, :, None] == exact[:, None, :]).any(axis=2).mean())
        figures = {"bytes": stored / len(vectors), "build CPU s": spent, "build peak MB": peak, f"recall@{k}": recall}
        told.write_text(json.dumps(figures), encoding="utf-8")
    known: dict[str, float] = json.loads(told.read_text(encoding="utf-8"))
    return known


def search(contestant: str, folder: Path, k: int) -> dict[str, float]:
    """Open what was built, and ask it for the nearest of one query after another, and of many at once."""
    queries = np.load(folder / "queries.npy")
    find = SEARCHERS[contestant].load(folder / "built" / contestant.replace(" ", "-"))
    find(queries[:2], k)  # what is set up once, or read for the first time
    began, asked = _spent(), 0
    while asked < _FEWEST or (asked < _MOST and _spent() - began < _SINGLE_SECONDS):
        find(queries[asked % len(queries)][None], k)
        asked += 1
    single = asked / (_spent() - began)
    began, asked = _spent(), 0
    while not asked or (asked < len(queries) and _spent() - began < _BATCH_SECONDS):
        asked += len(find(queries[asked : asked + _BATCH], k))
    return {"single queries/CPU s": single, "batch queries/CPU s": asked / (_spent() - began),
            "peak MB": interleaved.peak_megabytes()}  # fmt: skip


def _spent() -> float:
    """Processor seconds since the process began."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def prepare(given: argparse.Namespace) -> None:
    """Vectors, queries, and which vectors are nearest to each query, in the folder; what is there stays."""
    folder = given.folder
    about = {"model": given.model, "vectors": given.vectors, "queries": given.queries, "k": given.k}
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "about.json").exists():
        stored = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if stored != about:
            raise SystemExit(f"{folder} holds another run's vectors ({stored}); remove it or give another")
        if (folder / "exact.npy").exists():
            return
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
    from benchmarks.natural_texts import questions, windows
    from cosmith import Encoder, load_encoder
    from cosmith.data.array_files import write_array
    from cosmith.models.from_vocabulary import distil_static
    from cosmith.retrieval import encode_stream, search_dense
    from cosmith.retrieval.compressed import rotation

    if given.model == STATIC:
        teacher = Encoder.load(MODEL, precision="float32")
        encoder = distil_static(teacher, dimension=teacher.dimension)
    else:
        encoder = load_encoder(given.model)
    texts = windows(given.data, given.vectors)
    named = ((str(number), text) for number, text in enumerate(texts))
    made = encode_stream(encoder, named, folder / "encoded", form="npy", prompt="document", total=len(texts))
    queries = encoder.encode(questions(given.data, given.queries, without=set(texts)), prompt="query")
    parts = (np.load(file) for file in made.files)
    if given.model == STATIC:
        turned = rotation(queries.shape[1])
        queries, parts = turned(queries), map(turned, parts)
    write_array(folder / "vectors.npy", (len(texts), queries.shape[1]), np.float32, parts)
    write_array(folder / "queries.npy", queries.shape, np.float32, [queries])
    exact, _ = search_dense(queries, np.load(folder / "vectors.npy", mmap_mode="r"), given.k)
    write_array(folder / "exact.npy", exact.shape, exact.dtype, [exact])
    shutil.rmtree(folder / "encoded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of real data sets")
    parser.add_argument("--folder", type=Path, help="where vectors and what is built of them are kept")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument(
        "--model", default=STATIC, help=f"what makes the vectors; {STATIC}: what {MODEL} gives to each token by itself"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of searches; all is built once")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contestants", nargs="+", default=USUAL, choices=SEARCHERS, metavar="NAME")
    parser.add_argument("--usearch-python", help="of the environment with usearch")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        done = build if given.build else search
        print(json.dumps(done(given.worker, given.folder, given.k)))
    elif given.data is None or given.folder is None:
        parser.error("--data and --folder are needed")
    else:
        meet(given)


def meet(given: argparse.Namespace) -> None:
    """Prepare, build, let all take turns, and write up what came of it."""
    pythons = {"": interleaved.THIS_PYTHON, "usearch": given.usearch_python}
    used = {name: pythons[SEARCHERS[name].environment] for name in given.contestants}
    names = [name for name in given.contestants if used[name]]
    if missing := sorted(set(given.contestants) - set(names)):
        print(f"left out, their environment not being given: {', '.join(missing)}", flush=True)
    prepare(given)
    shared = ["--folder", str(given.folder), "--k", str(given.k)]
    contest = interleaved.Contest("benchmarks.search", names, {}, used)
    (built,) = interleaved.run(contest, ["--build", *shared], 1, given.threads)
    searched = interleaved.run(contest, shared, given.rounds, given.threads)
    results = [{name: {**built[name], **each[name]} for name in names} for each in searched]
    arguments = [
        f"--data {given.data.name} --folder search --vectors {given.vectors} --queries {given.queries} --k {given.k}",
        f"--model {given.model} --rounds {given.rounds} --threads {given.threads}",
        "--usearch-python usearch/bin/python",
    ]
    if given.contestants != USUAL:
        arguments.insert(2, "--contestants " + " ".join(f'"{name}"' for name in given.contestants))
    body = "\n".join([*table(names, results, given.k), "", *pairs(names, results, given.k), "", interleaved.RATIOS])
    told = f"{notes(given)}\n\n{versions(pythons)}."
    interleaved.write_up("Search", contest.module, arguments, told, body, given.output)


def table(names: Sequence[str], results: Sequence[Mapping[str, interleaved.Figures]], k: int) -> list[str]:
    """The medians of all contestants."""
    figures = {name.replace("@10", f"@{k}"): better for name, better in FIGURES.items()}
    return interleaved.medians(interleaved.Contest("benchmarks.search", names, figures), results)


def pairs(names: Sequence[str], results: Sequence[Mapping[str, interleaved.Figures]], k: int) -> list[str]:
    """What each form has over its peers: bytes and recall of both, and how many times as fast it is."""
    recall = f"recall@{k}"
    speeds = [name for name in FIGURES if name.endswith("queries/CPU s")]
    heads = ["", "against", "bytes", recall, *(f"{name.split()[0]} queries" for name in speeds), "build"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for ours, theirs in ((ours, each) for ours, peers in PEERS.items() for each in peers):
        if ours not in names or theirs not in names:
            continue
        both = [
            " : ".join(
                f"{statistics.median(each[name][figure] for each in results):{shown}}" for name in (ours, theirs)
            )
            for figure, shown in (("bytes", ",.0f"), (recall, ".3f"))
        ]
        cells = []
        for figure in speeds:
            found = sorted(each[ours][figure] / each[theirs][figure] for each in results)
            cells.append(f"**{statistics.median(found):.2f}×** ({found[0]:.2f} to {found[-1]:.2f})")
        building = results[0][theirs]["build CPU s"] / results[0][ours]["build CPU s"]
        lines.append("| " + " | ".join([ours, theirs, *both, *cells, f"{building:.2f}×"]) + " |")
    return lines


def versions(pythons: Mapping[str, str | None]) -> str:
    """Of faiss, and of usearch where its environment was given."""
    packages = {"faiss-cpu": pythons[""], "usearch": pythons["usearch"]}
    found = []
    for package, python in packages.items():
        if python is not None:
            command = [python, "-c", f"from importlib.metadata import version; print(version({package!r}))"]
            told = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(f"{package} {told.stdout.strip()}")
    return ", ".join(found)


def notes(given: argparse.Namespace) -> str:
    """What was measured, and how."""
    made = f"of {Path(given.model).name}"
    if given.model == STATIC:
        made = (
            f"of a static model of 384 numbers, the vectors that {MODEL} gives to each token by itself, weighted by"
            " their frequency and averaged (`distil_static`), turned at random: that changes no product, and spreads"
            " over all numbers what principal components bring to the first of them"
        )
    return (
        f"{given.vectors:,} vectors {made}; texts: runs of twelve words of Wikipedia, medical answers, abstracts and"
        f" the Brown corpus, none overlapping another. {given.queries:,} queries: questions and claims of MedQuAD,"
        f" SciFact, Cranfield and WikiQA, none of them among the texts. {given.threads} thread(s).\n\nEach contestant"
        " builds once and writes what it built (bytes: of these files, a vector), then opens it in a new process and is"
        f" asked for {given.k} vectors, one query after another and {_BATCH} at once. All times are processor seconds."
        f" Recall: of all queries, of the {given.k} nearest by exact inner products in float32. Peak MB: the most that"
        " the process held, with the parts of mapped files that it read. What is trained is trained on 100,000 of the"
        " vectors; of 4 √n lists a sixteenth (32 at least) are looked into, by Cosmith and by faiss, and the graphs of"
        " both are searched with a breadth of 64, as is usearch's by default; all else is at the library's defaults."
        f" `x4 by int8`: the {4 * given.k} best are put in order by int8 of the whole vectors, by faiss with"
        " `Refine(SQ8)`.\n\nThe second table holds each form against what takes about as many bytes, or finds in the"
        " same way: how many times as many queries, and how many times faster built."
    )


if __name__ == "__main__":
    main()
