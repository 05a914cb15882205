"""``source.json``: what a source's folder says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from cosmith.data.row_files import Written
from cosmith.data.rows import SourceSettings
from cosmith.errors import InputError, nearest

_FORMAT, _VERSION = "cosmith-source", 1


def about_of(name: str, settings: SourceSettings, written: Written) -> dict[str, Any]:
    """What source.json says of a source."""
    about = {"format": _FORMAT, "version": _VERSION, "name": name, "settings": asdict(settings)}
    return about | asdict(written)


def read_about(folder: Path) -> tuple[dict[str, Any], SourceSettings]:
    """What the ``source.json`` of a folder says, and the settings in it.

    Raises:
        InputError: When there is none, or it cannot be understood.
    """
    path = folder / "source.json"
    if not path.is_file():
        raise InputError("holds no source (no source.json)", path=folder, remedy="Give one that Source.save wrote.")
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        settings = dict(about["settings"])
        kinds = {"format": str, "version": int, "name": str, "rows": int, "texts": int}
        if about["format"] != _FORMAT or not all(isinstance(about[key], kind) for key, kind in kinds.items()):
            raise ValueError("it is not a source's description")
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"cannot be understood ({error!r})") from error
    if about["version"] != _VERSION:
        raise InputError(
            f"is of format version {about['version']}; this version of Cosmith reads {_VERSION}",
            path=path,
            field="version",
            remedy="Build the source again, or use the version of Cosmith that wrote it.",
        )
    known = [field.name for field in fields(SourceSettings)]
    for key in settings:
        if key not in known:
            raise InputError(f"unknown setting {key!r}", path=path, field=f"settings.{key}", remedy=nearest(key, known))
    return about, SourceSettings(**settings)


def damaged(path: Path, problem: str, field: str | None = None) -> InputError:
    """An error about a source that is not as it was written."""
    return InputError(problem, path=path, field=field, remedy="It is damaged; build the source again.")
