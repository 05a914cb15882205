"""Sparse encoders whose queries are not read by the model: the vectors and folders of sentence-transformers' Router."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import SparseEncoder, tiny_encoder
from cosmith.models.sparse.static_queries import StaticQueries

TEXTS = ["the cat sleeps", "red", "it is long, " * 12, "red red the", "", "where does the dog sleep in june"]


def sparse(seed: int = 0) -> SparseEncoder:
    """With weights large enough that vectors differ by more than rounding, and weights of queries of either sign."""
    model = SparseEncoder.from_encoder(tiny_encoder("bert", seed=seed), seed=seed)
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    made = model.with_static_queries()
    assert made.static_queries is not None
    with torch.no_grad():
        made.static_queries.weight.copy_(torch.linspace(-0.5, 2, made.dimension))
    return made


def theirs(folder: Path) -> Any:
    from sentence_transformers import SparseEncoder as Theirs

    return Theirs(str(folder), device="cpu")


def both(model: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(model, SparseEncoder):
        return model.encode(TEXTS, prompt="query").dense(), model.encode(TEXTS, prompt="document").dense()
    return model.encode_query(TEXTS).to_dense().numpy(), model.encode_document(TEXTS).to_dense().numpy()


def test_saved_folders_give_the_same_in_sentence_transformers(tmp_path: Path) -> None:
    made = sparse()
    ours = both(made)
    loaded = SparseEncoder.load(made.save(tmp_path / "m"))
    assert loaded.fingerprint() == made.fingerprint()
    assert loaded.copy().fingerprint() == made.fingerprint()
    assert SparseEncoder.load(loaded.save(tmp_path / "again")).fingerprint() == made.fingerprint()
    for one, other, their in zip(ours, both(loaded), both(theirs(tmp_path / "m")), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
        np.testing.assert_allclose(one, their, atol=1e-5)
        assert np.ptp(one) > 0.5
    np.testing.assert_allclose(loaded.encode(TEXTS).dense(), ours[1], atol=1e-6)  # documents are the usual way


@pytest.mark.parametrize("frozen", [False, True])
def test_folders_of_sentence_transformers_give_the_same_here(frozen: bool, tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder as Theirs
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sparse_encoder.modules import MLMTransformer, SparseStaticEmbedding, SpladePooling

    SparseEncoder.from_encoder(tiny_encoder("bert")).save(tmp_path / "plain")
    reads = MLMTransformer(str(tmp_path / "plain"))
    weight = torch.rand(reads.model.config.vocab_size)
    router = Router.for_query_document(
        query_modules=[SparseStaticEmbedding(reads.tokenizer, weight=weight, frozen=frozen)],
        document_modules=[reads, SpladePooling("max")],
    )
    model = Theirs(modules=[router], device="cpu", prompts={"query": "find: ", "document": "say: "})
    model.save_pretrained(str(tmp_path / "theirs"))
    ours = SparseEncoder.load(tmp_path / "theirs")
    for one, their in zip(both(ours), both(model), strict=True):
        np.testing.assert_allclose(one, their, atol=1e-5)
    assert ours.static_queries is not None
    assert ours.static_queries.weight.requires_grad != frozen
    ours.save(tmp_path / "ours")
    assert json.loads((tmp_path / "ours" / "query_0_SparseStaticEmbedding" / "config.json").read_text()) == {
        "frozen": frozen
    }


def test_a_query_has_the_weights_of_its_tokens_each_once() -> None:
    made = sparse()
    assert made.static_queries is not None
    tokens = made.tokenizer.tokenizer("red red the", add_special_tokens=False)["input_ids"]
    vector = made.encode(["red red the"], prompt="query").dense()[0]
    assert len(set(tokens)) < len(tokens)
    weight = made.static_queries.weight.detach().numpy()
    np.testing.assert_array_equal(np.flatnonzero(vector), sorted(set(tokens)))
    np.testing.assert_array_equal(vector[tokens], weight[tokens])


def test_weights_begin_with_how_rare_a_token_is() -> None:
    plain = SparseEncoder.from_encoder(tiny_encoder("bert"))
    made = plain.with_static_queries(["a b", "a a", "a c"])
    assert plain.static_queries is None
    assert made.static_queries is not None
    weight = made.static_queries.weight
    read = made.tokenizer.tokenizer
    a, b, unused = (read(text, add_special_tokens=False)["input_ids"][0] for text in "abz")
    assert weight[a].item() == pytest.approx(math.log(1 + 0.5 / 3.5))
    assert weight[b].item() == pytest.approx(math.log(1 + 2.5 / 1.5))
    assert weight[unused].item() == pytest.approx(math.log(1 + 3.5 / 0.5))
    ones = plain.with_static_queries().static_queries
    assert ones is not None
    assert bool((ones.weight == 1).all())
    with pytest.raises(InputError, match="there are none"):
        plain.with_static_queries([])


def test_what_is_no_such_folder_is_refused(tmp_path: Path) -> None:
    folder = sparse().save(tmp_path / "m")
    routes = folder / "router_config.json"
    said = json.loads(routes.read_text())
    for structure, message in (
        ({"query": said["structure"]["document"], "document": said["structure"]["document"]}, "routes query, document"),
        ({"document": said["structure"]["document"]}, "routes document,"),
        ({"query": ["../elsewhere"], "document": []}, "outside"),
    ):
        routes.write_text(json.dumps(said | {"structure": structure}))
        with pytest.raises(InputError, match=message):
            SparseEncoder.load(folder)
    routes.write_text(json.dumps(said))
    import safetensors.torch

    weights = folder / "query_0_SparseStaticEmbedding" / "model.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(3)}, weights)
    with pytest.raises(InputError, match=r"weights \[3\] for a vocabulary of"):
        SparseEncoder.load(folder)
    weights.unlink()
    with pytest.raises(InputError, match="cannot be loaded as the weights of queries"):
        SparseEncoder.load(folder)


def test_gradients_reach_the_tokens_of_the_queries_only() -> None:
    made = sparse()
    queries = made.static_queries
    assert isinstance(queries, StaticQueries)
    tokens = made.tokenize(["red", "the red"], prompt="query")
    made.embed_queries(tokens).sum().backward()
    assert queries.weight.grad is not None
    counts = np.zeros(made.dimension)
    for number in range(len(tokens)):
        counts[np.unique(tokens.take([number]).values)] += 1
    np.testing.assert_array_equal(queries.weight.grad.numpy(), counts)
