"""The page on losses names every loss, and its examples can be used."""

from __future__ import annotations

import re
from pathlib import Path

from cosmith.data import Source, TrainingRow
from cosmith.losses import LOSSES
from cosmith.models import Encoder, tiny_encoder
from cosmith.recipes import load_recipe, parse_document

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text(encoding="utf-8")


def test_the_tables_have_every_loss_and_what_it_needs() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
    named = {name: needs for name, needs in rows.items() if name in LOSSES}
    assert named.keys() == LOSSES.keys()
    for name, needs in named.items():
        for word, need in (("score", "scores"), ("label", "labels"), ("teacher", "teacher")):
            assert (word in needs) == (need in LOSSES[name].needs), name


def test_the_recipes_are_recipes() -> None:
    written = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert written
    for recipe in written:
        assert load_recipe(parse_document(recipe)).recipe.stages


def test_the_python_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2  # the second goes on where the first ends
    example = "\n".join(examples).replace('Encoder.load("all-mpnet-base-v2")', "teacher")
    given = {
        "texts": ["one a", "two a", "one b", "two b"], "labels": ["a", "a", "b", "b"],
        "encoder": tiny_encoder("bert", hidden=8, layers=1, dropout=0.1), "student": tiny_encoder("bert", hidden=8),
        "teacher": tiny_encoder("bert", hidden=16), "pairs": Source.from_rows("pairs", [TrainingRow("one", ("two",))]),
    }  # fmt: skip
    exec(example, given)
    assert all(isinstance(given[name], Source) for name in ("examples", "named"))
    assert all(isinstance(given[name], Encoder) for name in ("tuned", "small"))
