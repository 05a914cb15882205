"""Shards made by the workers of a Ray cluster: Ray Data spreads their numbers over a pool of actors.

Only numbers travel: a worker gets the job once, holds it (with its model) from shard to shard, and writes shards
itself. When one dies, Ray starts another and gives it the shard that was not finished.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cosmith.atomic import make_folder
from cosmith.bulk.shards import ShardJob
from cosmith.errors import CosmithError, InputError

_TRIES = 4
"""How often a shard may be begun until it is given up: one that is too large for the memory of every worker would
otherwise kill one after another for ever. Ray's own limit has no lasting place in its interface."""


def made_by_ray(job: ShardJob, numbers: Sequence[int], address: str | None, workers: int | None) -> Iterator[int]:
    """Make shards on a Ray cluster.

    Args:
        job: The work.
        numbers: Which shards, at least one.
        address, workers: As of :class:`~cosmith.bulk.Engine`.

    Yields:
        The number of each shard when it stands, in the order in which they are done.

    Raises:
        CosmithError: What the work of a shard raised; a shard that its worker died of several times; a cluster that
            cannot be reached.
    """
    with _cluster(address, workers) as ray:
        resources = ray.cluster_resources()
        accelerators = int(resources.get("GPU", 0)) if job.on_accelerator else 0
        most = workers or accelerators or max(1, int(resources.get("CPU", 1)))
        items = [{"number": number} for number in numbers]
        for number in numbers:
            _tries(job.path(number)).unlink(missing_ok=True)
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Worker,
            fn_constructor_args=(ray.put(replace(job, folder=job.folder.absolute())),),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(most, len(items)), max_tasks_in_flight_per_actor=1),
            num_cpus=1,
            num_gpus=1 if accelerators else 0,
        )
        dataset.context.enable_progress_bars = False
        dataset.context.print_on_execution_start = False
        try:
            for row in dataset.iter_rows():
                if row["error"]:
                    raise pickle.loads(row["error"])  # of a process of ours, which has pickled it
                yield int(row["number"])
        except ray.exceptions.RayError as error:
            raise CosmithError(
                f"the Ray cluster did not finish the work ({_last_line(error)})", path=job.folder,
                remedy="The shards that stand there are kept: run it again.",
            ) from error  # fmt: skip


class _Worker:
    """What an actor of the pool does."""

    def __init__(self, job: Any) -> None:
        import ray

        self._job: ShardJob = ray.get(job)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Make the shards of these numbers, as far as they are missing."""
        errors = []
        for number in batch["number"].tolist():
            try:
                self._make(number, self._job.path(number))
                errors.append(b"")
            except CosmithError as error:  # no accident: another try would end alike
                errors.append(pickle.dumps(error))
        return {"number": batch["number"], "error": np.array(errors, dtype=object)}

    def _make(self, number: int, path: Path) -> None:
        if path.is_file():  # a worker before this one died after writing it
            return
        tries = _tries(path)
        make_folder(path.parent)
        with tries.open("ab") as file:
            file.write(b".")
            count = file.tell()
        if count > _TRIES:
            raise CosmithError(
                f"{_TRIES} workers have died over this shard", path=path,
                remedy="They mostly lack memory: take fewer workers, or larger machines. What is done is kept.",
            )  # fmt: skip
        self._job.make(number, path)
        tries.unlink(missing_ok=True)


def _tries(path: Path) -> Path:
    """The file that counts by its length how often a shard was begun."""
    return path.with_name(f".{path.name}.tries")


@contextmanager
def _cluster(address: str | None, workers: int | None) -> Iterator[Any]:
    """Ray, connected: to the cluster that this process is connected to already, or to one for the time of the block.

    Raises:
        InputError: When there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read as Ray is imported: nothing is sent to its makers
    import ray
    import ray.data

    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {}
    if address == "local":
        own = {"include_dashboard": False, "num_cpus": workers}
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else each pool of actors is remarked on
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setLevel(logging.CRITICAL)  # progress and errors are told by us
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"there is no Ray cluster at {address!r} ({_last_line(error)})", field="address",
            remedy="Start one (ray start --head), or leave the address out.",
        ) from error  # fmt: skip
    try:
        yield ray
    finally:
        ray.shutdown()


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()  # of what a worker raised, a trace of where it did, and at its end what
    return lines[-1] if lines else type(error).__name__
