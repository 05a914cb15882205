"""A student after its teacher, from texts alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cosmith.compression import drop_layers
from cosmith.errors import InputError
from cosmith.models import initialise_static, tiny_encoder
from cosmith.training import TrainingSettings, distil

TEXTS = [f"{a} {b} of the {c}" for a in ("a red", "one old", "my") for b in ("boat", "hill", "cup", "song")
         for c in ("north", "sea", "town", "moon", "king")]  # fmt: skip
SETTINGS = TrainingSettings(epochs=6, batch_size=12, learning_rate=3e-3, precision="float32")


def test_a_student_comes_near_its_teacher_and_goes_on_exactly(tmp_path: Path) -> None:
    teacher = tiny_encoder("bert", layers=4, seed=1).set_prompts({"query": "ask: ", "document": "told: "})
    student = drop_layers(teacher, 1)
    before = student.fingerprint()
    result = distil(student, teacher, TEXTS, SETTINGS, folder=tmp_path / "run")
    assert student.fingerprint() == before
    unseen = [text.replace("the", "a") for text in TEXTS]
    for prompt in ("query", "document"):
        wanted = teacher.encode(unseen, prompt=prompt)
        near = [(each.encode(unseen, prompt=prompt) * wanted).sum(1).mean() for each in (student, result.encoder)]
        assert near[1] > near[0]
    assert result.base_score is not None
    assert result.final_score is not None
    assert result.final_score > result.base_score
    again = distil(student, teacher, TEXTS, SETTINGS, folder=tmp_path / "run")
    np.testing.assert_array_equal(again.encoder.encode(TEXTS), result.encoder.encode(TEXTS))


def test_texts_are_cut_alike_in_both_roles(tmp_path: Path) -> None:
    teacher = tiny_encoder("bert", layers=2, seed=1)
    lengths = (TrainingSettings(steps=2, batch_size=8, precision="float32", max_document_length=7, watch_every=None),
               TrainingSettings(steps=2, batch_size=8, precision="float32", watch_every=None))  # fmt: skip
    tokens = []
    for number, settings in enumerate(lengths):
        folder = tmp_path / str(number)
        distil(drop_layers(teacher, 1), teacher, TEXTS, settings, folder=folder)
        entries = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        steps = [each for each in entries if "tokens_per_second" in each]
        tokens.append(round(steps[0]["tokens_per_second"] * steps[0]["seconds"]))
    assert tokens[0] == 8 * 7  # each of the 8 texts once
    assert tokens[1] > tokens[0]


def test_what_comes_back_is_never_farther_from_the_teacher() -> None:
    teacher = tiny_encoder("bert", layers=3, seed=1)
    student = drop_layers(teacher, 2)
    wild = TrainingSettings(steps=3, batch_size=12, learning_rate=10.0, precision="float32", clip=None)
    result = distil(student, teacher, TEXTS, wild)
    assert result.final_score is not None
    assert result.base_score is not None
    assert result.final_score >= result.base_score


def test_what_cannot_be_followed_is_refused() -> None:
    teacher = tiny_encoder("bert")
    narrow = initialise_static(teacher.tokenizer.tokenizer, dimension=8)
    with pytest.raises(InputError, match="have 8 dimensions, the teacher's 32"):
        distil(narrow, teacher, TEXTS)
    with pytest.raises(InputError, match="too few"):
        distil(tiny_encoder("bert", seed=2), teacher, ["one", "one"])
