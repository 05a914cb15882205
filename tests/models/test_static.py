"""Static embeddings: sentence-transformers' folders both ways, equal vectors and gradients, and two ways to begin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from cosmith.data import Source, TrainingRow
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models import Encoder, distil_static, initialise_static, tiny_encoder, train_tokenizer
from cosmith.models.from_vocabulary import principal_components
from cosmith.models.static import StaticEmbedding
from cosmith.training import TrainingSettings, estimate, train

TEXTS = ["how do I bake bread", "", "a", "the quick brown fox jumps over it. " * 9, "how do I bake bread", "fox"]


def words() -> Any:
    return tiny_encoder("bert").tokenizer.tokenizer


class TestFolders:
    @pytest.mark.parametrize("normalised", [False, True])
    def test_sentence_transformers_gives_the_same_vectors_both_ways(self, normalised: bool, tmp_path: Path) -> None:
        library = pytest.importorskip("sentence_transformers")
        from sentence_transformers.sentence_transformer import modules

        parts = [modules.StaticEmbedding(words(), embedding_dim=24), *([modules.Normalize()] if normalised else [])]
        theirs = library.SentenceTransformer(modules=parts, device="cpu", prompts={"query": "query: "})
        theirs.save(str(tmp_path / "theirs"))
        ours = Encoder.load(tmp_path / "theirs")
        np.testing.assert_allclose(ours.encode(TEXTS, normalize=False), theirs.encode(TEXTS), atol=1e-6)
        np.testing.assert_allclose(
            ours.encode(TEXTS, prompt="query", normalize=False), theirs.encode(TEXTS, prompt_name="query"), atol=1e-6
        )
        ours.save(tmp_path / "ours", card="# A model\n")
        back = library.SentenceTransformer(str(tmp_path / "ours"), device="cpu")
        np.testing.assert_allclose(back.encode(TEXTS), theirs.encode(TEXTS), atol=1e-6)
        again = Encoder.load(tmp_path / "ours")
        assert again.fingerprint() == ours.fingerprint()
        assert again.dimension == 24

    def test_a_projection_and_a_maximum_length_travel_along(self, tmp_path: Path) -> None:
        library = pytest.importorskip("sentence_transformers")
        from sentence_transformers.sentence_transformer import modules

        parts = [modules.StaticEmbedding(words(), embedding_dim=24), modules.Dense(24, 8), modules.Normalize()]
        library.SentenceTransformer(modules=parts, device="cpu").save(str(tmp_path / "theirs"))
        tokenizer = Tokenizer.from_file(str(tmp_path / "theirs" / "tokenizer.json"))
        tokenizer.enable_truncation(max_length=10)
        tokenizer.save(str(tmp_path / "theirs" / "tokenizer.json"))
        theirs = library.SentenceTransformer(str(tmp_path / "theirs"), device="cpu")
        ours = Encoder.load(tmp_path / "theirs")
        assert (ours.max_length, ours.dimension) == (10, 8)
        ours.save(tmp_path / "ours")
        for encoder in (ours, Encoder.load(tmp_path / "ours")):
            np.testing.assert_allclose(encoder.encode(TEXTS, normalize=False), theirs.encode(TEXTS), atol=1e-6)

    def test_tokens_that_share_vectors_and_have_weights_as_in_model2vec(self, tmp_path: Path) -> None:
        library = pytest.importorskip("sentence_transformers")
        initialise_static(words(), dimension=8).save(tmp_path / "model")
        path, count = tmp_path / "model" / "model.safetensors", len(words())
        generator = torch.Generator().manual_seed(0)
        table = {
            "embeddings": torch.randn(9, 8, generator=generator),
            "mapping": torch.randint(9, (count,), generator=generator),
            "weights": torch.rand(count, generator=generator),
        }
        save_file(table, path)
        ours, theirs = Encoder.load(tmp_path / "model"), library.SentenceTransformer(str(tmp_path / "model"))
        np.testing.assert_allclose(ours.encode(TEXTS), theirs.encode(TEXTS), atol=1e-6)

    def test_what_is_not_whole_is_refused(self, tmp_path: Path) -> None:
        path = initialise_static(words(), dimension=8).save(tmp_path / "model") / "model.safetensors"
        weights = load_file(path)
        save_file({"embedding.weight": weights["embedding.weight"][:50].clone()}, path)
        with pytest.raises(InputError, match=r"holds vectors \[50, 8\] for 140 tokens"):
            Encoder.load(tmp_path / "model")
        save_file({"other": torch.zeros(1)}, path)
        with pytest.raises(InputError, match="no table of vectors"):
            Encoder.load(tmp_path / "model")
        path.write_bytes(b"torn")
        with pytest.raises(InputError, match="cannot be loaded as a static model"):
            Encoder.load(tmp_path / "model")
        path.unlink()
        with pytest.raises(InputError, match=r"has no model\.safetensors"):
            Encoder.load(tmp_path / "model")

    def test_what_it_does_not_have_is_refused(self) -> None:
        encoder = initialise_static(words(), dimension=8)
        with pytest.raises(InputError, match="no other pooling than the mean"):
            encoder.set_pooling("max")
        with pytest.raises(InputError, match="cannot be switched"):
            encoder.set_bidirectional()
        with pytest.raises(InputError, match="no states of tokens in their context"):
            encoder.token_states(encoder.tokenize(["a"]))
        source = Source.from_rows("rows", [TrainingRow("a", ("b",)), TrainingRow("c", ("d",))])
        with pytest.raises(InputError, match="layers of a backbone of type 'static-embedding' cannot be told"):
            train(encoder, [source], TrainingSettings(steps=1, adapter="lora"))


@given(st.lists(st.lists(st.integers(0, 6), max_size=9), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_gradient_equals_torchs_own(rows: list[list[int]]) -> None:
    weights = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    values = np.array([token for row in rows for token in row], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    module = StaticEmbedding(weights)
    direction = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(1))
    vectors = module(RaggedTokens(values, offsets, np.diff(offsets).astype(np.int32)))
    (vectors * direction).sum().backward()
    theirs = weights.clone().requires_grad_()
    expected = torch.nn.functional.embedding_bag(
        torch.from_numpy(values.astype(np.int64)), theirs, torch.from_numpy(offsets[:-1]), mode="mean"
    )
    (expected * direction).sum().backward()
    torch.testing.assert_close(vectors, expected)
    torch.testing.assert_close(module.embedding.weight.grad, theirs.grad)


class TestTraining:
    ROWS = tuple(
        TrainingRow(f"where is the {a} {b}", (f"the {a} is by the {b} " * (n % 3 + 1),))
        for n, (a, b) in enumerate(zip("abcdefghijkl", "mnopqrstuvwx", strict=True))
    )
    SETTINGS = TrainingSettings(steps=12, batch_size=6, learning_rate=0.1, warmup=0.0, precision="float32", seed=1)

    def test_it_learns_the_same_in_every_strategy_and_goes_on_exactly(self, tmp_path: Path) -> None:
        source = Source.from_rows("rows", self.ROWS)
        encoder = initialise_static(words(), dimension=16)
        tuned = train(encoder, [source], self.SETTINGS, folder=tmp_path / "run")
        cached = train(encoder, [source], replace(self.SETTINGS, strategy="cached", micro_batch_tokens=40))
        left, right = (each.encode(TEXTS) for each in (tuned, cached))
        np.testing.assert_allclose(left, right, atol=1e-4)

        def agreement(model: Encoder) -> float:
            queries = model.encode([row.query for row in self.ROWS])
            answers = model.encode([row.positives[0] for row in self.ROWS])
            scores = queries @ answers.T
            return float(np.diag(scores).mean() - scores.mean())

        assert agreement(tuned) > agreement(encoder) + 0.1
        again = train(encoder, [source], self.SETTINGS, folder=tmp_path / "run")
        assert again.fingerprint() == tuned.fingerprint()
        assert estimate(encoder, [source], self.SETTINGS).memory > 0

    def test_one_micro_batch_a_worker_makes_one_gradient_of_the_table(self) -> None:
        from cosmith.training.contrastive import prepare

        job = prepare(initialise_static(words()), [Source.from_rows("rows", self.ROWS)], self.SETTINGS)
        _, batch = job.batch(0)
        assert len(job.micro_batches(batch)) == job.lanes


class TestBeginning:
    def test_random_vectors_for_a_tokenizer_learnt_from_texts(self) -> None:
        tokenizer = train_tokenizer(TEXTS * 3, 300)
        encoder = initialise_static(tokenizer, dimension=8, seed=1)
        assert encoder.encode(TEXTS).shape == (6, 8)
        assert encoder.fingerprint() == initialise_static(tokenizer, dimension=8, seed=1).fingerprint()
        assert encoder.fingerprint() != initialise_static(tokenizer, dimension=8, seed=2).fingerprint()
        assert encoder.max_length > 10**6
        assert initialise_static(tokenizer, max_length=5).tokenize(TEXTS).lengths.max() == 5

    def test_principal_components_by_hand(self) -> None:
        along = torch.tensor([[3.0, 4.0], [-3.0, -4.0], [6.0, 8.0], [-6.0, -8.0]]) + torch.tensor([10.0, -7.0])
        torch.testing.assert_close(principal_components(along, 1), torch.tensor([[5.0], [-5.0], [10.0], [-10.0]]))
        torch.testing.assert_close(principal_components(along, 2)[:, 1], torch.zeros(4), atol=1e-4, rtol=0)

    def test_vectors_of_another_models_vocabulary(self, tmp_path: Path) -> None:
        encoder = tiny_encoder("bert", projection=24)
        made = distil_static(encoder, dimension=10, smoothing=1e-3)
        assert (made.dimension, made.name) == (10, "tiny-bert-static")
        table = made.module["backbone"].embedding.weight.detach()  # type: ignore[union-attr]
        tokens = encoder.tokenizer.tokenizer
        assert len(table) == len(tokens)
        alone = [
            RaggedTokens(np.array([2, number, 3], np.int32), np.array([0, 3]), np.array([3], np.int32))
            for number in range(len(tokens))  # between [CLS] and [SEP]
        ]
        with torch.no_grad():
            raw = torch.cat([encoder.embed(each, normalize=False) for each in alone])
        frequency = 1 / np.arange(2, len(tokens) + 2)
        frequency /= frequency.sum()
        expected = principal_components(raw.double(), 10).numpy() * (1e-3 / (1e-3 + frequency))[:, None]
        np.testing.assert_allclose(table.numpy(), expected, atol=1e-4)
        loaded = Encoder.load(made.save(tmp_path / "made"))
        np.testing.assert_array_equal(loaded.encode(TEXTS), made.encode(TEXTS))
        with pytest.raises(InputError, match="25 is not between 1 and the model's 24"):
            distil_static(encoder, dimension=25)
