"""What `examples/launch` holds is what launchers read; and the script for one machine runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from cosmith.models import Encoder, tiny_encoder

LAUNCH = Path(__file__).parents[1] / "examples" / "launch"


@pytest.mark.parametrize("name", sorted(place.name for place in LAUNCH.iterdir() if place.suffix in (".sh", ".sbatch")))
def test_scripts_are_sound(name: str) -> None:
    checked = subprocess.run(["bash", "-n", LAUNCH / name], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("name", "machines"), [("accelerate-one-node.yaml", 1), ("accelerate-many-nodes.yaml", 4)])
def test_accelerate_reads_its_files(name: str, machines: int) -> None:
    """It refuses keys that it does not know."""
    config = load_config_from_file(str(LAUNCH / name))
    assert config.num_machines == machines
    assert config.num_processes == 8 * machines
    assert config.mixed_precision == "no"
    assert not config.fsdp_config
    assert not config.deepspeed_config


def test_two_processes_of_one_machine_run_a_recipe(tmp_path: Path) -> None:
    """If they did not join, the second would be refused the folder that the first one writes to."""
    base = tiny_encoder("bert").save(tmp_path / "base")
    rows = [
        {"query": f"ask {letter}{other}", "positive": f"{letter}{other} told"} for letter in "abcd" for other in "fg"
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: t\nbase: {base}\nprecision: float32\nstages:\n"
        f"  data: {{kind: source, path: {tmp_path / 'pairs.jsonl'}, dev: 0, test: 0}}\n"
        "  train: {kind: train, sources: data.train, steps: 2, batch_size: 4, learning_rate: 1e-3}\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PROCESSES": "2", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    script = [LAUNCH / "torchrun-one-node.sh", recipe, tmp_path / "run"]
    done = subprocess.run(script, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "run" / "train" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [entry["step"] for entry in map(json.loads, lines) if "loss" in entry] == [1, 2]
    assert Encoder.load(tmp_path / "run" / "train" / "model").fingerprint() != Encoder.load(base).fingerprint()
