"""Asking from many machines: a worker asks about a shard of the passages, and its answers come back as a file.

Workers on other machines cannot share the cache, whose write-ahead log needs memory in common. So each has a cache of
its own for the shard that it works at, in which answers stand as soon as they come, and hands them over as a Parquet
file when all of the shard is asked. All end in the one cache, from which rows are made in one place as ever.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from cosmith.atomic import atomic_file
from cosmith.bulk import Engine, ShardJob, run_shards
from cosmith.data.passages import Passage
from cosmith.mining.synthesis.budget import Budget, Meter, Usage
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.chat import Completion
from cosmith.mining.synthesis.endpoint import Endpoint, require_askable
from cosmith.mining.synthesis.prompting import Prompting
from cosmith.mining.synthesis.session import write_about

PASSAGES = 128
"""Passages a shard: what a worker is given at a time."""

_SCHEMA = pa.schema(
    {"key": pa.string(), "text": pa.large_string(), "finish": pa.string(), "refusal": pa.string(),
     "input_tokens": pa.int64(), "output_tokens": pa.int64(), "estimated": pa.bool_()}
)  # fmt: skip


def ask_in_shards(
    passages: Sequence[Passage],
    characters: Sequence[Sequence[str]],
    endpoint: Endpoint,
    prompting: Prompting,
    answers: AnswerCache,
    budget: Budget,
    folder: Path,
    engine: Engine,
) -> Usage:
    """Have workers ask what is to be asked about passages, as far as their shares of the budget go.

    Args:
        passages: What to write about.
        characters: Who might ask about each.
        endpoint: Who answers; its key, if it has one, stands in the workers' environment.
        prompting: What is asked.
        answers: The answers that are there already; takes the new ones.
        budget: What may be spent by all together. A shard may spend an equal part of it.
        folder: Where the shards stand, empty or absent; it is gone when all are in the cache.
        engine: Who asks.

    Returns:
        What the workers asked and what it took.

    Raises:
        EndpointError, InputError: As :func:`~cosmith.mining.synthesis.session.write_about`.
        StorageError: When a shard cannot be written.
    """
    count = -(-len(passages) // PASSAGES)
    share = budget.divided(count)
    if share is None:
        return Usage()
    asking = _Asking(tuple(passages), characters, PASSAGES, endpoint, prompting, dict(answers.items()), share)
    job = ShardJob(f"Asking for {prompting.settings.product}", folder, count, ".parquet", asking.ask)
    run_shards(job, engine)
    usage = usage_of((answer for file in job.paths for _, answer in _read(file)), budget)
    take_in(folder, answers)
    return usage


def take_in(folder: Path, answers: AnswerCache) -> None:
    """Put the answers of shards, whole ones and those that were not finished, into the cache, and remove the folder."""
    for file in sorted(folder.glob("*.parquet")):
        for key, answer in _read(file):
            answers.put(key, answer)
    for file in sorted(folder.glob("*.sqlite")):
        with AnswerCache(file) as unfinished:
            for key, answer in unfinished.items():
                answers.put(key, answer)
    shutil.rmtree(folder, ignore_errors=True)


def usage_of(answers: Iterable[Completion], budget: Budget) -> Usage:
    """What it took to be given these answers."""
    usage = Usage()
    for each in answers:
        read, written = usage.input_tokens + each.input_tokens, usage.output_tokens + each.output_tokens
        usage = Usage(usage.requests + 1, 0, read, written, usage.estimated + each.estimated)
    return replace(usage, money=budget.money(usage.input_tokens, usage.output_tokens))


@dataclass(frozen=True, eq=False)
class _Asking:
    """Passages, a shard of which is asked about at a time."""

    passages: Sequence[Passage]
    characters: Sequence[Sequence[str]]
    size: int
    endpoint: Endpoint
    prompting: Prompting
    known: Mapping[str, Completion]
    share: Budget

    def ask(self, shard: int, path: Path) -> None:
        """Ask all about the passages of a shard that the budget pays for, and write the answers."""
        require_askable(self.endpoint)
        here = slice(shard * self.size, (shard + 1) * self.size)
        who = [list(each) for each in self.characters[here]]
        own = path.with_suffix(".sqlite")  # holds what a worker was answered that died over this shard
        meter = Meter(self.share)
        with _Known(own, self.known) as answers:
            meter.usage = usage_of((answer for _, answer in answers.items()), self.share)
        write_about(
            self.passages[here], who.__getitem__, self.endpoint, self.prompting, lambda: _Known(own, self.known), meter
        )
        with _Known(own, self.known) as answers:
            rows = [{"key": key} | asdict(answer) for key, answer in answers.items()]
        with atomic_file(path, "wb") as handle:
            parquet.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), handle)
        for file in path.parent.glob(f"{own.name}*"):
            file.unlink(missing_ok=True)


class _Known(AnswerCache):
    """A cache that takes what comes, beside answers that are known from elsewhere."""

    def __init__(self, path: Path, known: Mapping[str, Completion]) -> None:
        super().__init__(path)
        self._known = known

    def get(self, key: str) -> Completion | None:
        return self._known.get(key) or super().get(key)


def _read(file: Path) -> Iterable[tuple[str, Completion]]:
    for row in parquet.read_table(file).to_pylist():
        yield row.pop("key"), Completion(**row)
