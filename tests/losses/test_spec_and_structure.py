"""What a spec and a structure refuse, and that they say why."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.losses import ContrastiveSpec, StepStructure, contrastive, preset

GOOD: dict[str, Any] = {"denominators": (frozenset({"own_negatives"}),), "temperature": 0.1}
ROWS: dict[str, Any] = {
    "query": [0, 1], "positives": [2, 3], "positive_row": [0, 1], "negatives": [2], "negative_row": [1],
    "text": [0, 1, 2, 3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"denominators": ()}, "needs a denominator"),
        ({"denominators": (frozenset(),)}, "needs a denominator"),
        ({"denominators": "own_negatives"}, "not a sequence of sets"),
        ({"denominators": ("own_negatives",)}, "not a set of blocks"),
        ({"denominators": ({"own_negative"},)}, "Did you mean 'own_negatives'"),
        ({"masked_blocks": {"document"}}, "Did you mean 'documents'"),
        ({"temperature": 0.0}, "greater than 0"),
        ({"temperature": float("nan")}, "not a finite number"),
        ({"temperature": "0.1"}, "not a finite number"),
        ({"margin": float("inf")}, "margin is inf"),
        ({"ratio": 0.0}, "ratio is 0.0"),
        ({"hardness": -1.0}, "at least 0"),
        ({"hardened_blocks": {"document"}}, "Did you mean 'documents'"),
        ({"hardness": 1.0, "hardened_blocks": {"documents"}}, "no block to weigh"),
        ({"positive_terms": 0}, "positive_terms is 0"),
        ({"other_own_positives": True}, "Add the block 'other_positives'"),
    ],
)
def test_a_spec_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ContrastiveSpec(**{**GOOD, **changes})


def test_a_spec_of_lists_as_a_recipe_gives_it() -> None:
    spec = ContrastiveSpec(denominators=[["queries", "own_negatives"]], temperature=1, masked_blocks=["queries"])  # type: ignore[arg-type]
    assert spec.denominators == (frozenset({"queries", "own_negatives"}),)
    assert spec.blocks == {"queries", "own_negatives"}
    assert hash(spec) == hash(ContrastiveSpec(**{**GOOD, "temperature": 1, "denominators": spec.denominators,
                                                 "masked_blocks": frozenset({"queries"})}))  # fmt: skip


def test_naming_losses_does_not_import_torch() -> None:
    code = "import sys, cosmith.losses as l; l.preset('gte'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_functions_hide_no_modules() -> None:
    code = "import cosmith.losses.tiled, cosmith.losses.matryoshka; from cosmith.losses import contrastive, nested; "
    code += "import sys; sys.exit(not (callable(contrastive) and callable(nested)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": []}, "without rows"),
        ({"query": [0, 4]}, r"\[query\]: entry 1 is 4, but the step has 4 embeddings"),
        ({"positives": [2, -1]}, r"\[positives\]: entry 1 is -1"),
        ({"positive_row": [0, 2]}, "entry 1 is 2, but the step has 2 rows"),
        ({"positive_row": [0, 0]}, "row 1 .* has no positive"),
        ({"positive_row": [0]}, "1 entries where 'positives' has 2"),
        ({"negative_row": []}, "0 entries where 'negatives' has 1"),
        ({"known_query": [0], "known_document": []}, "0 entries where 'known_query' has 1"),
        ({"label": [1]}, "1 entries where the step has rows: 2"),
        ({"document_group": [1]}, "1 entries where the step has embeddings: 4"),
        ({"query": [0.5, 1.0]}, "one-dimensional array of integers"),
        ({"query": [[0, 1]]}, "2-dimensional"),
        ({"positive_score": [0.1, float("nan")], "negative_score": [0.0]}, r"\[positive_score\]: entry 1 is nan"),
        ({"positive_score": [0.1, 0.2], "negative_score": [float("inf")]}, r"\[negative_score\]: entry 0 is inf"),
        ({"teacher": [[1.0], [1.0], [float("-inf")], [1.0]]}, r"\[teacher\]: entry 2, 0 is -inf"),
        ({"query": ["a", "b"]}, "cannot be read as integers"),
    ],
)
def test_a_structure_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StepStructure.of(**{**ROWS, **changes})


def test_lists_arrays_and_tensors_are_the_same() -> None:
    def frozen(values: list[int]) -> np.ndarray[Any, Any]:
        array = np.array(values, dtype=np.int32)
        array.flags.writeable = False  # as a memory map of a file is
        return array

    lists = StepStructure.of(**ROWS)
    arrays = StepStructure.of(**{name: frozen(values) for name, values in ROWS.items()})
    tensors = StepStructure.of(**{name: torch.tensor(values) for name, values in ROWS.items()})
    for name in ROWS:
        assert getattr(lists, name).dtype == torch.int64
        assert torch.equal(getattr(lists, name), getattr(arrays, name))
        assert torch.equal(getattr(lists, name), getattr(tensors, name))
    assert (lists.rows, lists.embeddings) == (2, 4)
    assert lists.label is None


def test_a_structure_moves_as_a_whole() -> None:
    moved = StepStructure.of(**ROWS, label=[1, 2]).to("meta")
    assert {moved.query.device.type, moved.text.device.type, moved.label.device.type} == {"meta"}  # type: ignore[union-attr]
    assert moved.document_group is None


def test_text_identities_may_be_hashes() -> None:
    """64-bit hashes as identities: products of them must not overflow into each other."""
    hashes = torch.tensor([2**62 + 1, -(2**62), 2**62 + 1, 5], dtype=torch.int64)
    embeddings = torch.nn.functional.normalize(torch.randn(4, 3, dtype=torch.float64), dim=1)
    spec = preset("default", margin=None)
    given = contrastive(embeddings, StepStructure.of(**{**ROWS, "text": hashes}), spec)
    small = contrastive(embeddings, StepStructure.of(**{**ROWS, "text": [0, 1, 0, 2]}), spec)
    assert given == small


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", ["default", "gte", "supcon"])
def test_on_a_gpu_it_is_the_same(name: str) -> None:
    structure = StepStructure.of(**ROWS, label=[1, 2], document_group=[-1, 0, 1, 1])
    embeddings = torch.nn.functional.normalize(torch.randn(4, 3, dtype=torch.float64), dim=1)
    here, there = embeddings.clone().requires_grad_(), embeddings.cuda().requires_grad_()
    contrastive(here, structure, preset(name)).backward()
    contrastive(there, structure, preset(name)).backward()
    torch.testing.assert_close(here.grad, there.grad.cpu())  # type: ignore[union-attr]
