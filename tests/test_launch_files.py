"""What `examples/launch` holds is what launchers read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

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
