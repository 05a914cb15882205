"""What of a model is trained: adapters, frozen parts, rates by layer, and layers computed again rather than kept."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import Source, TrainingRow
from cosmith.errors import InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.models.adapters import AdapterSpec, add_adapter, merge_adapter
from cosmith.models.layers import depths, layers_of
from cosmith.training import Interrupted, TrainingSettings, estimate, train, train_with_result
from cosmith.training.contrastive import prepare
from cosmith.training.encoding import graph_bytes
from cosmith.training.optimisation import adamw, layer_factors, set_learning_rate
from cosmith.training.pretraining import pretrain
from cosmith.training.step import add_gradients
from cosmith.training.tuning import trainable

WORDS = ["bread", "fox", "dog", "lamp", "rain", "stone", "tree", "book", "cup", "road", "fish", "bell"]
ROWS = [TrainingRow(f"where is the {a} {b}", (f"the {a} is by the {b} " * (n % 3 + 1),), (f"no {b} here",))
        for n, (a, b) in enumerate(zip(WORDS, reversed(WORDS), strict=True))]  # fmt: skip
SOURCE = Source.from_rows("rows", ROWS)
TEXTS = [row.query for row in ROWS]
SETTINGS = TrainingSettings(steps=4, batch_size=4, learning_rate=1e-2, precision="float32", seed=3, warmup=0.0)
FAMILIES = ["bert", "qwen3"]


def weights(encoder: Encoder) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in encoder.module.state_dict().items()}


def changed(before: Encoder, after: Encoder) -> set[str]:
    old, new = weights(before), weights(after)
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name], new[name])}


def gradients(encoder: Encoder, settings: TrainingSettings) -> list[torch.Tensor | None]:
    job = prepare(trainable(encoder, settings), [SOURCE], settings)
    job.module.train()
    add_gradients(job, 0)
    return [parameter.grad for parameter in job.module.parameters()]


class TestAdapters:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("kind", ["lora", "dora"])
    def test_training_one_changes_the_layers_only_and_ends_with_an_ordinary_model(
        self, family: Any, kind: Any, tmp_path: Path
    ) -> None:
        base = tiny_encoder(family)
        tuned = train(base, [SOURCE], replace(SETTINGS, adapter=kind, adapter_rank=4))
        moved = changed(base, tuned)
        assert moved
        assert all(".layer" in name and name.endswith(".weight") for name in moved)
        assert all(parameter.requires_grad for parameter in tuned.module.parameters())
        assert np.abs(tuned.encode(TEXTS) - base.encode(TEXTS)).max() > 1e-3
        tuned.save(tmp_path / "merged")
        assert not (tmp_path / "merged" / "adapter_config.json").exists()
        np.testing.assert_array_equal(Encoder.load(tmp_path / "merged").encode(TEXTS), tuned.encode(TEXTS))

    @pytest.mark.parametrize("kind", ["lora", "dora"])
    def test_saved_alone_it_is_small_and_gives_the_same_vectors_here_and_in_sentence_transformers(
        self, kind: Any, tmp_path: Path
    ) -> None:
        library = pytest.importorskip("sentence_transformers")
        tiny_encoder("qwen3", projection=16).save(tmp_path / "base")
        base = Encoder.load(tmp_path / "base")
        settings = replace(SETTINGS, adapter=kind, adapter_rank=4, merge_adapter=False)
        tuned = train(base, [SOURCE], settings)
        vectors = tuned.encode(TEXTS)
        tuned.save(tmp_path / "adapter")
        assert not (tmp_path / "adapter" / "model.safetensors").exists()
        assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"] == 4
        loaded = Encoder.load(tmp_path / "adapter")
        assert loaded.fingerprint() == tuned.fingerprint()
        np.testing.assert_array_equal(loaded.encode(TEXTS), vectors)
        if kind == "lora":  # transformers 5.23 does not find DoRA's norms in what peft writes
            theirs = library.SentenceTransformer(str(tmp_path / "adapter"), device="cpu")
            np.testing.assert_allclose(theirs.encode(TEXTS), vectors, atol=1e-5)
        merged = train(base, [SOURCE], replace(settings, merge_adapter=True))
        np.testing.assert_allclose(merged.encode(TEXTS), vectors, atol=1e-5)
        further = train(loaded, [SOURCE], SETTINGS)  # an adapter that was loaded is trained on
        assert all("lora_" in name or "dense" in name for name in changed(loaded, further))
        other = tiny_encoder("qwen3", projection=16, seed=1)
        other.save(tmp_path / "base")
        with pytest.raises(InputError, match="was trained beside other weights"):
            Encoder.load(tmp_path / "adapter")

    def test_a_bidirectional_decoder_stays_one_with_an_adapter(self, tmp_path: Path) -> None:
        tiny_encoder("qwen3").save(tmp_path / "base")
        encoder = Encoder.load(tmp_path / "base", bidirectional=True)
        add_adapter(encoder.module["backbone"], AdapterSpec(rank=2))
        encoder.save(tmp_path / "adapter")
        np.testing.assert_array_equal(Encoder.load(tmp_path / "adapter").encode(TEXTS), encoder.encode(TEXTS))

    def test_by_hand(self) -> None:
        encoder = tiny_encoder("qwen3")
        backbone: Any = encoder.module["backbone"]
        before = backbone.layers[0].mlp.up_proj.weight.clone()
        add_adapter(backbone, AdapterSpec(rank=2, alpha=6.0, targets=("up_proj",)))
        layer = backbone.layers[0].mlp.up_proj
        with torch.no_grad():
            layer.lora_B["default"].weight.normal_(generator=torch.Generator().manual_seed(0))
        expected = before + 6.0 / 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        assert not hasattr(backbone.layers[0].mlp.down_proj, "lora_A")
        beside = encoder.encode(TEXTS)
        merge_adapter(backbone)
        torch.testing.assert_close(backbone.layers[0].mlp.up_proj.weight, expected)
        np.testing.assert_allclose(encoder.encode(TEXTS), beside, atol=1e-5)

    def test_never_worse_than_the_base_on_the_development_set(self) -> None:
        base = tiny_encoder("bert")
        start = base.encode(TEXTS)

        def dev(encoder: Encoder) -> float:
            return -float(np.abs(encoder.encode(TEXTS) - start).sum())

        settings = replace(SETTINGS, adapter="lora", interpolate=(0.5,))
        result = train_with_result(base, [SOURCE], settings, dev=dev)
        assert result.alpha == 0
        assert changed(base, result.encoder) == set()

    def test_frozen_weights_are_no_part_of_a_graph_and_costs_can_be_estimated(self) -> None:
        encoder = tiny_encoder("bert")
        before = weights(encoder)
        settings = replace(SETTINGS, adapter="lora")
        assert estimate(encoder, [SOURCE], settings).memory > 0
        assert weights(encoder).keys() == before.keys()
        added: dict[bool, int] = {}
        for frozen in (False, True):
            other = encoder.copy()
            if frozen:
                other.module["backbone"].encoder.layer.requires_grad_(False)  # type: ignore[union-attr]
            job = prepare(other, [SOURCE], replace(settings, adapter=None))
            added[frozen] = graph_bytes(partial(other.embed, other.tokenize(TEXTS)), job.module.parameters())
        assert added[True] <= added[False]

    def test_what_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        encoder = tiny_encoder("bert")
        with pytest.raises(InputError, match=r"no linear layer is named 'q_proj'.*attention\.self\.query"):
            train(encoder, [SOURCE], replace(SETTINGS, adapter="lora", adapter_targets=("q_proj",)))
        with pytest.raises(InputError, match=r"there is no adapter 'loha'.*Did you mean 'lora'"):
            replace(SETTINGS, adapter="loha")  # type: ignore[arg-type]
        kept = train(encoder, [SOURCE], replace(SETTINGS, adapter="lora", merge_adapter=False))
        with pytest.raises(InputError, match="is not saved anywhere"):
            kept.save(tmp_path / "adapter")
        assert not (tmp_path / "adapter").exists()
        with pytest.raises(InputError, match="has an adapter already"):
            train(kept, [SOURCE], replace(SETTINGS, adapter="lora"))


class TestFrozenParts:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_they_keep_their_bits_and_only_for_the_run(self, family: Any) -> None:
        base = tiny_encoder(family, layers=3)
        tuned = train(base, [SOURCE], replace(SETTINGS, freeze_embeddings=True, frozen_layers=2))
        places = {
            name: depth
            for (name, parameter) in base.module["backbone"].named_parameters()
            for depth in [depths(base.module["backbone"])[parameter]]
        }
        moved = {places[name.removeprefix("backbone.")] for name in changed(base, tuned)}
        assert min(moved) == 3
        assert all(parameter.requires_grad for parameter in tuned.module.parameters())

    def test_more_layers_than_there_are_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"3 are more layers than the model has.*It has 2"):
            train(tiny_encoder("bert"), [SOURCE], replace(SETTINGS, frozen_layers=3))

    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("how", [{"freeze_embeddings": True}, {"adapter": "lora"}])
    @pytest.mark.parametrize("strategy", ["direct", "cached"])
    def test_nothing_left_to_learn_is_refused(self, family: Any, how: dict[str, Any], strategy: Any) -> None:
        settings = replace(SETTINGS, frozen_layers=2, strategy=strategy, **how)
        for run in (lambda: train(tiny_encoder(family), [SOURCE], settings),
                    lambda: pretrain(decoder(), TEXTS, settings)):  # fmt: skip
            with pytest.raises(InputError, match="all 2 layers and the embeddings are frozen") as error:
                run()
            assert error.value.field == "frozen_layers"

    @pytest.mark.parametrize("family", FAMILIES)
    def test_what_stands_above_frozen_layers_learns_and_so_do_embeddings_below_them(self, family: Any) -> None:
        base = tiny_encoder(family, projection=16)
        settings = replace(SETTINGS, frozen_layers=2, weight_decay=0.0)
        moved = changed(base, train(base, [SOURCE], replace(settings, freeze_embeddings=True)))
        assert "dense.0.linear.weight" in moved
        assert not any(".layer" in name or "embed" in name for name in moved)
        below = changed(tiny_encoder(family), train(tiny_encoder(family), [SOURCE], settings))
        assert any("embed" in name for name in below)
        assert not any(".layer" in name for name in below)


def decoder() -> Encoder:
    """One that could be pre-trained, with a projection above that plays no part in it."""
    made = tiny_encoder("qwen3", projection=16).set_bidirectional()
    made.module["backbone"].config.tie_word_embeddings = True  # type: ignore[union-attr]
    return made


class TestRatesByLayer:
    def test_by_hand(self) -> None:
        encoder = tiny_encoder("qwen3", layers=2, projection=8)
        backbone: Any = encoder.module["backbone"]
        factors = layer_factors(encoder, 0.5)
        optimizer = adamw(encoder.module, learning_rate=1.0, weight_decay=0.1, factors=factors)
        set_learning_rate(optimizer, 0.8)
        rates = {
            id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]
        }
        assert rates[id(backbone.embed_tokens.weight)] == (0.1, 0.1)
        assert rates[id(backbone.layers[0].mlp.up_proj.weight)] == (0.2, 0.1)
        assert rates[id(backbone.layers[1].input_layernorm.weight)] == (0.4, 0.0)
        assert rates[id(backbone.norm.weight)] == (0.8, 0.0)
        assert rates[id(encoder.module["dense"][0].linear.weight)] == (0.8, 0.1)  # type: ignore[index]
        assert len(rates) == len(list(encoder.module.parameters()))

    def test_a_factor_of_one_is_training_as_ever(self) -> None:
        encoder = tiny_encoder("bert")
        groups = adamw(
            encoder.module, learning_rate=1.0, weight_decay=0.1, factors=layer_factors(encoder, 1.0)
        ).param_groups
        assert [group["weight_decay"] for group in groups] == [0.1, 0.0]

    def test_an_interrupted_run_ends_with_the_same_bits(self, tmp_path: Path) -> None:
        settings = replace(
            SETTINGS, layer_decay=0.7, adapter="dora", adapter_dropout=0.2, checkpoint_every_steps=1, steps=5,
            gradient_checkpointing=True,
        )  # fmt: skip
        encoder = tiny_encoder("qwen3", dropout=0.1)
        expected = train(encoder, [SOURCE], settings, folder=tmp_path / "whole")
        calls = 0

        def dev(_: Encoder) -> float:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise KeyboardInterrupt
            return float(calls)

        watched = replace(settings, evaluate_every=1, keep_best=False, interpolate=False)
        with pytest.raises(Interrupted):
            train(encoder, [SOURCE], watched, folder=tmp_path / "torn", dev=dev)
        again = train(encoder, [SOURCE], watched, folder=tmp_path / "torn", dev=lambda _: 0.0)
        assert changed(expected, again) == set()


class TestGradientCheckpointing:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("strategy", ["direct", "cached"])
    def test_gives_the_same_gradients_bit_for_bit_with_dropout(self, family: Any, strategy: Any) -> None:
        settings = replace(SETTINGS, strategy=strategy, micro_batch_tokens=60)
        plain, again = (
            gradients(tiny_encoder(family, dropout=0.3), replace(settings, gradient_checkpointing=on))
            for on in (False, True)
        )
        assert sum(part is not None for part in plain) > 10
        for mine, theirs in zip(again, plain, strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or theirs is None or torch.equal(mine, theirs)

    def test_keeps_less_and_leaves_the_model_as_it_was(self) -> None:
        encoder = tiny_encoder("bert", layers=4)
        kept = [
            estimate(encoder, [SOURCE], replace(SETTINGS, gradient_checkpointing=on)).memory for on in (False, True)
        ]
        assert kept[1] < kept[0] * 2
        tuned = train(encoder, [SOURCE], replace(SETTINGS, gradient_checkpointing=True))
        assert not any(getattr(layer, "gradient_checkpointing", False) for layer in layers_of(tuned.module["backbone"]))


def test_prompts_left_out_of_the_pooling_are_left_out_in_training_too() -> None:
    encoder = tiny_encoder("bert").set_prompts({"query": "ask: "}).set_pooling(include_prompt=False)
    job = prepare(encoder, [SOURCE], SETTINGS)
    _, batch = job.batch(0)
    lengths = batch.tokens.prompt_lengths
    assert lengths is not None
    assert sorted(set(lengths.tolist())) == [0, 1 + len("ask:")]
    [first, *_] = job.micro_batches(batch)
    texts = [row.query for row in ROWS] + [text for row in ROWS for text in (*row.positives, *row.negatives)]
    with torch.no_grad():
        found = encoder.embed(batch.tokens.take(first)).numpy()
    known = np.concatenate([encoder.encode(texts[: len(ROWS)], prompt="query"), encoder.encode(texts[len(ROWS) :])])
    assert (found @ known.T).max(1) == pytest.approx(1, abs=1e-5)
