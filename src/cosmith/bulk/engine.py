"""Who makes the shards of a job."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal, get_args

from cosmith.bulk.shards import ShardJob
from cosmith.errors import InputError, StorageError, nearest
from cosmith.progress import track

EngineKind = Literal["local", "ray"]


@dataclass(frozen=True)
class Engine:
    """Where bulk work runs.

    Attributes:
        kind: ``"local"``, in this process; ``"ray"``, on the workers of a Ray cluster, by way of Ray Data.
        address: Of a cluster that runs: ``"auto"`` for the one of this machine, ``"ray://HOST:10001"``. None: what the
            environment variable ``RAY_ADDRESS`` says, or else a cluster on this machine that ends with the work.
        workers: How many there are, each with a processor of its own (and an accelerator where the cluster has some and
            the work is for one); None: as many as the cluster has.

    Raises:
        InputError: When there is no such engine, Ray is not installed, or a value is not possible.
    """

    kind: EngineKind = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(EngineKind):
            raise InputError(
                f"{self.kind!r} is no engine", field="engine", remedy=nearest(self.kind, get_args(EngineKind))
            )
        for name in ("address", "workers"):
            if self.kind == "local" and getattr(self, name) is not None:
                raise InputError("is for another engine than the local one", field=name, remedy="Leave it out.")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"is {self.workers}", field="workers", remedy="Give at least 1.")
        if self.kind == "ray" and importlib.util.find_spec("ray") is None:
            raise InputError("needs the package ray", field="engine", remedy='Run: pip install "cosmith[ray]"')


LOCAL = Engine()
"""This process."""


def run_shards(job: ShardJob, engine: Engine = LOCAL) -> None:
    """Make the shards of a job that are missing.

    What stands there when this is killed is not made again, whichever engine goes on.

    Args:
        job: The work.
        engine: Who does it.

    Raises:
        CosmithError: What the work of a shard raised, whoever did it.
        StorageError: When a shard cannot be written, or a worker wrote it where this process does not find it.
    """
    missing = job.missing()
    if not missing:
        return
    if engine.kind == "local":
        with nullcontext() if job.tells else track(job.called, job.count, "shards") as bar:
            if bar is not None:
                bar.advance(job.count - len(missing))
            for number in missing:
                job.make(number, job.path(number))
                if bar is not None:
                    bar.advance()
        return
    from cosmith.bulk.ray_data import made_by_ray

    with track(job.called, job.count, "shards") as bar:
        bar.advance(job.count - len(missing))
        for _ in made_by_ray(job, missing, engine.address, engine.workers):
            bar.advance()
    if lost := job.missing():
        raise StorageError(
            f"a worker has written this shard, and here it is not ({len(lost)} in all)", path=job.path(lost[0]),
            remedy="The folder must be one that all machines see at the same place.",
        )  # fmt: skip
