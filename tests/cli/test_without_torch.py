"""Without torch, as `pip install "cosmith[onnx]"` is: exported models work, and the rest says what to install."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# None in sys.modules is what Python takes for "not there": import raises ModuleNotFoundError.
_WITHOUT = (
    "import sys\nfor name in ('torch', 'transformers', 'accelerate', 'tensorboard'):\n    sys.modules[name] = None\n"
)


def without_torch(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _WITHOUT + code], capture_output=True, text=True)


def cosmith(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [str(argument) for argument in arguments]
    return without_torch(f"from cosmith.cli import main\nmain({words!r})")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    rows = [{"id": str(n), "text": f"{word} is {n}"} for n, word in enumerate(["red", "blue", "a cat", "the dog"])]
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = [{"text1": row["text"], "text2": rows[n - 1]["text"], "score": n / 2} for n, row in enumerate(rows)]
    (folder / "sts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    trained = [{"query": f"what is {n}", "positive": f"it is {n}"} for n in range(60)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in trained))
    return folder


def test_an_exported_model_is_used_from_texts_to_scores(
    exported_model: tuple[Any, Path], files: Path, tmp_path: Path
) -> None:
    model, documents = exported_model[1], files / "documents.jsonl"
    other = shutil.copytree(model, tmp_path / "other")
    for arguments in (
        ("encode", model, documents, "--output", tmp_path / "vectors.npy"),
        ("index", model, documents, "--output", tmp_path / "texts.index"),
        ("search", tmp_path / "texts.index", "where is the cat"),
        ("runtime", model),
        ("evaluate", model, "--task", files / "sts.jsonl"),
        ("compare", model, other, "--task", files / "sts.jsonl"),
    ):
        done = cosmith(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)


def test_what_needs_torch_says_what_to_install(files: Path, tmp_path: Path) -> None:
    done = cosmith("train", "--pairs", files / "pairs.jsonl", "--output", tmp_path / "tuned")
    assert done.returncode == 1
    assert 'pip install "cosmith[torch]"' in done.stderr
    assert "Traceback" not in done.stderr
    for name in ("Encoder", "train"):
        asked = without_torch(f"import cosmith\ncosmith.{name}")
        assert (
            asked.stderr.strip().splitlines()[-1].startswith(f"cosmith.errors.InputError: [{name}]: needs the package")
        )


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "cosmith", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cosmith ")
