"""What stands in the folder of a run: `recipe.yaml`, one folder a stage, `results.json`, `report.html`.

A stage's folder holds `stage.json` (which settings and inputs made it, when, how long), `result.json` (what it found,
plain values by kind) and its outputs. `stage.json` is written last: a folder without it is unfinished.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import cosmith
from cosmith.atomic import write_json
from cosmith.errors import InputError
from cosmith.recipes.references import Kind

_STARTED = "started.json"
_FINISHED = "stage.json"
_RESULT = "result.json"
_UNTIL_FINISHED = ("checkpoints", "best")  # several times the size of the model, and of no use any more
RECIPE, RESOLVED, LOCK = "recipe.yaml", "recipe.resolved.yaml", ".lock"
_OWN = {RECIPE, RESOLVED, LOCK}  # what a run leaves that ended before its first stage


@dataclass(frozen=True)
class StageRecord:
    """What `stage.json` says.

    Attributes:
        name: The stage.
        kind: Its kind.
        fingerprint: Hash of its settings and inputs.
        seconds: How long it took, the last time that it ran to its end.
        finished: When that was, ISO 8601.
        config: Its settings.
        inputs: Input name → fingerprint.
        outputs: File below the folder → size in bytes.
        cosmith: The version that ran it.
    """

    name: str
    kind: str
    fingerprint: str
    seconds: float
    finished: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, int]
    cosmith: str


def output_folder(stage_folder: Path, output: str, kind: Kind) -> Path:
    """Where a stage puts an output: under its name, or under what it is for a stage with a single one."""
    return stage_folder / (output or kind)


def read_record(stage_folder: Path) -> StageRecord | None:
    """The record of a finished stage; None where it never finished or the file cannot be read."""
    try:
        return StageRecord(**json.loads((stage_folder / _FINISHED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read_result(stage_folder: Path) -> dict[str, Any]:
    """What a finished stage found."""
    result: dict[str, Any] = json.loads((stage_folder / _RESULT).read_text(encoding="utf-8"))
    return result


def without_queries(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without the values of single queries, which stand in the stage's own `result.json`."""
    shortened = dict(result)
    if "scores" in shortened:
        kept = [{key: value for key, value in scores.items() if key not in ("per_query", "query_ids")}
                for scores in shortened["scores"]]  # fmt: skip
        shortened["scores"] = kept
    return shortened


def why_to_run(
    stage_folder: Path, fingerprint: str, config: Mapping[str, Any], inputs: Mapping[str, str]
) -> str | None:
    """Why a stage must run (again), in words; None where what stands in its folder is what it would make."""
    record = read_record(stage_folder)
    if record is None:
        return "interrupted before" if _started_as(stage_folder) else "not run yet"
    if record.fingerprint != fingerprint:
        changed = [f"{key} {record.config.get(key)!r} → {config[key]!r}" for key in config
                   if record.config.get(key) != config[key]]  # fmt: skip
        changed += [f"{name} changed" for name in inputs if record.inputs.get(name) != inputs[name]]
        return ", ".join(changed) or "settings changed"
    for name, size in record.outputs.items():
        file = stage_folder / name
        if not file.is_file() or file.stat().st_size != size:
            return f"{name} is missing or not whole"
    try:
        read_result(stage_folder)
    except (OSError, ValueError):
        return f"{_RESULT} cannot be read"
    return None


def begin_stage(stage_folder: Path, fingerprint: str) -> bool:
    """Make a stage's folder ready to work in.

    What an interrupted run of the very same settings and inputs left is kept, so that the stage can go on from it;
    anything else that a run left is removed.

    Returns:
        Whether something was kept.

    Raises:
        InputError: A folder of the stage's name holds something that no run made.
    """
    resumed = _started_as(stage_folder) == fingerprint
    if not resumed:
        require_stage_folder(stage_folder)
        shutil.rmtree(stage_folder, ignore_errors=True)
        write_json(stage_folder / _STARTED, {"fingerprint": fingerprint})
    else:
        (stage_folder / _FINISHED).unlink(missing_ok=True)
    return resumed


def finish_stage(
    stage_folder: Path,
    *,
    name: str,
    kind: str,
    fingerprint: str,
    started: float,
    config: Mapping[str, Any],
    inputs: Mapping[str, str],
    outputs: Mapping[str, Kind],
    result: Mapping[str, Any],
) -> StageRecord:
    """Write down that a stage has ended well; ``started`` is ``time.monotonic()`` of its beginning."""
    write_json(stage_folder / _RESULT, result)
    files = [stage_folder / _RESULT]
    for output, output_kind in outputs.items():
        place = output_folder(stage_folder, output, output_kind)
        files += sorted(
            file for file in place.rglob("*") if file.is_file() and not _grows_later(file.relative_to(place))
        )
    record = StageRecord(
        name=name,
        kind=kind,
        fingerprint=fingerprint,
        seconds=round(time.monotonic() - started, 3),
        finished=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        config=dict(config),
        inputs=dict(inputs),
        outputs={file.relative_to(stage_folder).as_posix(): file.stat().st_size for file in files},
        cosmith=cosmith.__version__,
    )
    write_json(stage_folder / _FINISHED, asdict(record))
    (stage_folder / _STARTED).unlink(missing_ok=True)
    for name in _UNTIL_FINISHED:
        shutil.rmtree(stage_folder / name, ignore_errors=True)
    return record


def require_run_folder(run: Path) -> None:
    """Refuse a folder that holds things and is no run's: its files could be taken for a run's, and replaced.

    Raises:
        InputError: In this case.
    """
    if not run.is_dir() or (run / RESOLVED).is_file():
        return
    others = sorted(entry.name for entry in run.iterdir() if entry.name != LOCK)
    if others:
        raise InputError(
            f"holds {others[0]!r} and is not the folder of a run", path=run, field="--folder",
            remedy="Name a new or empty folder.",
        )  # fmt: skip


def require_stage_folder(stage_folder: Path) -> None:
    """Refuse a folder that bears a stage's name, holds things and was made by no run.

    Raises:
        InputError: In this case.
    """
    made = any((stage_folder / name).is_file() for name in (_STARTED, _FINISHED))
    if stage_folder.exists() and not made and (stage_folder.is_file() or any(stage_folder.iterdir())):
        raise InputError(
            f"stands where the stage {stage_folder.name!r} would, and no run made it", path=stage_folder,
            remedy="Move it away, rename the stage, or name another folder for the run.",
        )  # fmt: skip


def drop_empty(stage_folder: Path) -> None:
    """Remove the folder of a stage that failed before it left anything, and its run's if nothing else is there."""
    left = {entry.name for entry in stage_folder.iterdir()} if stage_folder.is_dir() else set()
    if left <= {_STARTED}:
        shutil.rmtree(stage_folder, ignore_errors=True)
    run = stage_folder.parent
    if run.is_dir() and {entry.name for entry in run.iterdir()} <= _OWN:
        for name in _OWN:
            (run / name).unlink(missing_ok=True)
        run.rmdir()


def _started_as(stage_folder: Path) -> str | None:
    try:
        value = json.loads((stage_folder / _STARTED).read_text(encoding="utf-8"))
        return str(value["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _grows_later(file: Path) -> bool:
    """Whether a file (its path below the output's folder) may change after its stage has ended.

    The lineage card is brought up to date by later stages; a cache of tokens may come and go.
    """
    return file.name in ("lineage.json", "README.md") or "tokens" in file.parts


def machine() -> dict[str, Any]:
    """Where a run took place, for the reader of its figures."""
    import psutil

    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "cosmith": cosmith.__version__,
        "torch": metadata.version("torch"),
        "transformers": metadata.version("transformers"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
