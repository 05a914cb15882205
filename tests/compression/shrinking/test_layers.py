"""Fewer layers: the same computation without the others, in every family that is told apart."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.compression import drop_layers, spread_evenly
from cosmith.errors import InputError
from cosmith.models import Encoder, initialise_static, tiny_encoder
from cosmith.models.layers import layers_of, name_of_layers

TEXTS = ["how do I bake bread", "a", "the quick brown fox jumps over it. " * 4]
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {}, "xlm-roberta": {}, "mpnet": {}, "modernbert": {"cls_token_id": 2, "sep_token_id": 3},
    "distilbert": {"dim": 32, "hidden_dim": 64, "n_heads": 4, "n_layers": 6},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8}, "llama": {},
    "gemma2": {"num_key_value_heads": 2, "head_dim": 8},
}  # fmt: skip


def of_family(family: str) -> Encoder:
    words = tiny_encoder("bert").tokenizer.tokenizer
    config = {
        "model_type": family, "vocab_size": len(words), "hidden_size": 32, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 80, "pad_token_id": 0, "num_hidden_layers": 6,
        "bos_token_id": 2, "eos_token_id": 3,
    } | FAMILIES[family]  # fmt: skip
    return Encoder.from_config(config, words, projection=16, prompts={"query": "ask: "}, max_length=48)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_left_computes_what_the_model_does_without_the_other_layers(family: str, tmp_path: Path) -> None:
    encoder = of_family(family)
    dropped = drop_layers(encoder, [0, 2, 5])
    skipping = encoder.copy()
    backbone: Any = skipping.module["backbone"]
    layers = layers_of(backbone)
    parent, _, last = name_of_layers(backbone).rpartition(".")
    setattr(backbone.get_submodule(parent), last, torch.nn.ModuleList([layers[number] for number in (0, 2, 5)]))
    kinds = getattr(backbone.config, "layer_types", None)
    backbone.config.num_hidden_layers, backbone.config.use_cache = 3, False
    if kinds is not None:
        backbone.config.layer_types = [kinds[number] for number in (0, 2, 5)]
    expected = skipping.encode(TEXTS, prompt="query")
    np.testing.assert_allclose(dropped.encode(TEXTS, prompt="query"), expected, atol=1e-6)
    assert np.abs(expected - encoder.encode(TEXTS, prompt="query")).max() > 1e-3
    dropped.save(tmp_path / "model")
    again = Encoder.load(tmp_path / "model")
    assert again.fingerprint() == dropped.fingerprint()
    assert len(layers_of(again.module["backbone"])) == 3
    library = pytest.importorskip("sentence_transformers")
    theirs = library.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    np.testing.assert_allclose(theirs.encode(TEXTS), dropped.encode(TEXTS), atol=1e-5)


def test_the_model_itself_is_left_as_it_is() -> None:
    encoder = tiny_encoder("bert", layers=4)
    before, state = encoder.fingerprint(), copy.deepcopy(torch.random.get_rng_state())
    drop_layers(encoder, 2)
    assert encoder.fingerprint() == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_layers_are_spread_from_the_first_to_the_last() -> None:
    assert spread_evenly(6, 3) == [0, 2, 5]
    assert spread_evenly(12, 6) == [0, 2, 4, 7, 9, 11]
    assert spread_evenly(12, 1) == [0]
    for layers in range(1, 30):
        for count in range(1, layers + 1):
            found = spread_evenly(layers, count)
            assert len(set(found)) == count
            assert found == sorted(found)
            assert found[0] == 0
            assert count == 1 or found[-1] == layers - 1


@pytest.mark.parametrize("keep", [0, 4, 5, -1, [], [1, 0], [0, 0], [0, 4], [-1, 0], [0, 1, 2, 3]])
def test_no_choice_among_the_layers_is_refused(keep: int | list[int]) -> None:
    with pytest.raises(InputError, match="keep"):
        drop_layers(tiny_encoder("bert", layers=4), keep)


def test_models_that_it_cannot_be_done_to_are_refused() -> None:
    words = tiny_encoder("bert").tokenizer.tokenizer
    with pytest.raises(InputError, match="static model, which has no layers"):
        drop_layers(initialise_static(words, dimension=8), 1)
    shared = Encoder.from_config(
        {"model_type": "albert", "vocab_size": len(words), "embedding_size": 16, "hidden_size": 32,
         "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 4}, words,
    )  # fmt: skip
    with pytest.raises(InputError, match="cannot be told"):
        drop_layers(shared, 2)
    with pytest.raises(InputError, match="keep layer 0"):  # whose norm stands before all layers
        drop_layers(of_family("modernbert"), [1, 2])


def test_an_adapter_is_merged_first() -> None:
    pytest.importorskip("peft")
    from cosmith.models import AdapterSpec
    from cosmith.models.adapters import add_adapter

    encoder = tiny_encoder("bert", layers=4)
    add_adapter(encoder.module["backbone"], AdapterSpec(rank=2))
    with pytest.raises(InputError, match="adapter that is not merged"):
        drop_layers(encoder, 2)
