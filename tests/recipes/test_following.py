"""A recipe on two processes gives what it gives on one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from cosmith.recipes import load_recipe, run_recipe


def test_two_processes_run_a_recipe_as_one(small_world: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "cosmith.cli", "run", str(small_world / "recipe.yaml"), "--folder", "two"]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}

    def together() -> list[tuple[str, str]]:
        processes = [
            subprocess.Popen(
                command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=os.environ | address | {"RANK": rank, "LOCAL_RANK": rank},
            )
            for rank in ("0", "1")
        ]  # fmt: skip
        try:
            said = [process.communicate(timeout=200) for process in processes]
        finally:
            for process in processes:
                process.kill()
        assert [process.returncode for process in processes] == [0, 0], said
        return said

    first, second = together()
    assert second[0] == ""  # only the first one speaks
    assert "kept:" in first[0]
    run_recipe(load_recipe(str(small_world / "recipe.yaml")), tmp_path / "one")
    alone, shared = (load_file(tmp_path / name / "train" / "model" / "model.safetensors") for name in ("one", "two"))
    for name, value in alone.items():
        np.testing.assert_allclose(shared[name], value, rtol=1e-3, atol=2e-5, err_msg=name)
    assert "stands, skipped" in together()[0][1]
