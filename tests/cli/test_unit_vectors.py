"""Evaluating a model without a Normalize module says that its vectors are scored at length one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from cosmith.cli.app import app, flags_first
from cosmith.models import tiny_encoder


def test_a_model_without_a_normalize_module_is_told_once(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    encoder.save(tmp_path / "unit")
    encoder.spec = replace(encoder.spec, head=())
    encoder.save(tmp_path / "any")
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\na b\tc d\t1\ne f\tg h\t3\ni j\tk l\t2\n")
    for model, said in (("unit", 0), ("any", 1)):
        told = CliRunner().invoke(
            app, flags_first(["evaluate", str(tmp_path / model), "--task", str(tmp_path / "pairs.tsv")])
        )
        assert told.exit_code == 0, told.output
        assert told.output.count("no Normalize module") == said
