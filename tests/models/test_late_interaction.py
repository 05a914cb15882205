"""Late interaction: sentence-transformers' token vectors, scores and pooling; expansion, skip-list, truncation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import (
    CrossEncoder,
    Encoder,
    LateInteractionEncoder,
    QueryExpansion,
    TokenVectors,
    kind_of,
    tiny_encoder,
)

TEXTS = ["the cat sleeps", "red", "it is long, " * 12, "red", "", "where, does. the dog sleep in june?"]
EXPANSIONS = [
    None,
    QueryExpansion(12),
    QueryExpansion(12, attend=True),
    QueryExpansion(20, "min"),
    QueryExpansion(9, "min", attend=True, token="x"),
]


def made(family: Any = "bert", **changes: Any) -> LateInteractionEncoder:
    """With weights large enough that vectors differ by more than rounding."""
    model = LateInteractionEncoder.from_encoder(tiny_encoder(family), 16, **({"expansion": EXPANSIONS[1]} | changes))
    with torch.no_grad():
        for parameter in model.module["backbone"].parameters():
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    return model


def theirs(folder: Path) -> Any:
    from sentence_transformers import MultiVectorEncoder

    return MultiVectorEncoder(str(folder), device="cpu")


def assert_same(ours: TokenVectors, expected: list[np.ndarray], atol: float = 2e-5) -> None:
    assert ours.counts.tolist() == [len(rows) for rows in expected]
    np.testing.assert_allclose(ours.values, np.concatenate(expected), atol=atol)


@pytest.mark.parametrize("family", ["bert", "qwen3"])
@pytest.mark.parametrize("expansion", EXPANSIONS)
def test_saved_folders_give_the_same_in_sentence_transformers(family: Any, expansion: Any, tmp_path: Path) -> None:
    ours = made(family, expansion=expansion)
    ours.spec = replace(ours.spec, prompts={"query": "q: ", "document": "d, "}, document_length=30)
    model = theirs(ours.save(tmp_path / "m"))
    loaded = LateInteractionEncoder.load(tmp_path / "m")
    assert loaded.fingerprint() == ours.fingerprint()
    queries, documents = loaded.encode_queries(TEXTS), loaded.encode_documents(TEXTS)
    assert_same(queries, model.encode_query(TEXTS, convert_to_numpy=True))
    assert_same(documents, model.encode_document(TEXTS, convert_to_numpy=True))
    expected = model.similarity(model.encode_query(TEXTS), model.encode_document(TEXTS)).numpy()
    pairs = [(one, other) for one in TEXTS for other in TEXTS]
    scores = loaded.score(*(list(side) for side in zip(*pairs, strict=True)))
    np.testing.assert_allclose(scores.reshape(expected.shape), expected, atol=1e-4)
    assert np.ptp(expected) > 0.5


def test_folders_of_sentence_transformers_give_the_same_here(tmp_path: Path) -> None:
    model = theirs(tiny_encoder("bert").save(tmp_path / "dense"))
    model[0].query_expansion = {"strategy": "fixed", "length": 10}
    model.prompts["query"] = "find "
    model.save_pretrained(str(tmp_path / "theirs"))
    ours = LateInteractionEncoder.load(tmp_path / "theirs")
    assert ours.dimension == 128
    assert_same(ours.encode_queries(TEXTS), model.encode_query(TEXTS, convert_to_numpy=True))
    assert_same(ours.encode_documents(TEXTS), model.encode_document(TEXTS, convert_to_numpy=True))


def test_folders_of_pylate_are_read_as_sentence_transformers_reads_them(tmp_path: Path) -> None:
    made(expansion=QueryExpansion(14)).save(tmp_path / "m")
    listing = json.loads((tmp_path / "m" / "modules.json").read_text())[:2]
    listing[1]["type"] = "pylate.models.Dense.Dense"
    (tmp_path / "m" / "modules.json").write_text(json.dumps(listing))
    dense = json.loads((tmp_path / "m" / "1_Dense" / "config.json").read_text())
    del dense["module_input_name"]
    (tmp_path / "m" / "1_Dense" / "config.json").write_text(json.dumps(dense))
    (tmp_path / "m" / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 63}))
    settings = {
        "model_type": "ColBERT", "query_prefix": "[UNK] ", "document_prefix": "d ", "query_length": 14,
        "document_length": 40, "attend_to_expansion_tokens": False, "do_query_expansion": True, "prompts": {},
    }  # fmt: skip
    (tmp_path / "m" / "config_sentence_transformers.json").write_text(json.dumps(settings))
    ours, model = LateInteractionEncoder.load(tmp_path / "m"), theirs(tmp_path / "m")
    assert_same(ours.encode_queries(TEXTS), model.encode_query(TEXTS, convert_to_numpy=True))
    assert_same(ours.encode_documents(TEXTS), model.encode_document(TEXTS, convert_to_numpy=True))
    del settings["model_type"]  # PyLate leaves it out of models that it made of dense ones
    (tmp_path / "m" / "config_sentence_transformers.json").write_text(json.dumps(settings))
    assert kind_of(tmp_path / "m") == "late-interaction"
    assert LateInteractionEncoder.load(tmp_path / "m").fingerprint() == ours.fingerprint()


def test_queries_are_expanded_documents_skip_punctuation_and_what_is_cut_is_counted() -> None:
    model = made(expansion=QueryExpansion(12))
    tokens = model.tokenize(["red", "a" + "b" * 40], prompt="query")
    assert tokens.lengths.tolist() == [12, 12]
    assert tokens.truncated.tolist() == [False, True]
    assert (tokens.values[5:12] == model.tokenizer.tokenizer.eos_token_id).all()  # it has no mask
    documents = model.tokenize(["a.b,", "..", ""], prompt="document")
    kept = model.kept(documents, "document")
    assert [kept[start:end].sum() for start, end in zip(documents.offsets, documents.offsets[1:], strict=False)] == [
        4, 2, 2,
    ]  # fmt: skip
    bare = made("qwen3", expansion=None)
    bare.spec = replace(bare.spec, skiplist=(".", "[SEP]"))
    assert bare.encode_documents(["..", "a."]).counts.tolist() == [1, 1]  # never nothing


def test_markers_are_tokens_to_spare_and_survive_the_folder(tmp_path: Path) -> None:
    model = LateInteractionEncoder.from_encoder(Encoder.load("all-MiniLM-L6-v2"), 32)
    assert model.prompts == {"query": "[unused0] ", "document": "[unused1] "}
    for prompt, marker in (("query", 1), ("document", 2)):
        assert model.tokenize(["red"], prompt=prompt).values[:2].tolist() == [101, marker]
    assert model.encode_queries(["red"]).counts.tolist() == [32]
    vectors = theirs(model.save(tmp_path / "m")).encode_document(["a red, cat"], convert_to_numpy=True)
    assert_same(model.encode_documents(["a red, cat"]), vectors)


@pytest.mark.parametrize("factor", [1.5, 2, 3, 100])
@pytest.mark.parametrize("protected", [0, 1, 3])
def test_pooling_is_that_of_sentence_transformers(factor: float, protected: int) -> None:
    from sentence_transformers.multi_vector_encoder.modules import HierarchicalTokenPooling

    vectors = made().encode_documents(TEXTS)
    pooling = HierarchicalTokenPooling(factor, num_protected_tokens=protected)
    expected = pooling.pool([torch.from_numpy(vectors.of(n)) for n in range(len(vectors))], task="document")
    got = vectors.pooled(factor, protected=protected)
    assert_same(got, [rows.numpy() for rows in expected])
    np.testing.assert_allclose(np.linalg.norm(got.values, axis=1), 1, atol=1e-5)
    assert got.counts.sum() < vectors.counts.sum()


def test_micro_batches_and_order_change_nothing() -> None:
    model = made()
    for encode in (model.encode_queries, model.encode_documents):
        whole = encode(TEXTS)
        for other in (encode(TEXTS, token_budget=1), encode(TEXTS[::-1]).take(np.arange(len(TEXTS))[::-1])):
            assert_same(other, [whole.of(number) for number in range(len(TEXTS))])
        assert encode([]).values.shape == (0, 16)
    pooled = model.encode_documents(TEXTS, pool_factor=2)
    expected = model.encode_documents(TEXTS).pooled(2)
    assert_same(pooled, [expected.of(number) for number in range(len(TEXTS))])
    assert pooled.half().pooled(2).values.dtype == np.float16


def test_what_is_no_late_interaction_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no late-interaction model"):
        LateInteractionEncoder.load(tiny_encoder("bert").save(tmp_path / "dense"))
    made().save(tmp_path / "late")
    with pytest.raises(InputError, match=r"LateInteractionEncoder|lists no|does not know"):
        Encoder.load(tmp_path / "late")
    with pytest.raises(InputError):
        CrossEncoder.load(tmp_path / "late")
    with pytest.raises(InputError, match="longer than"):
        made(expansion=QueryExpansion(65))
    with pytest.raises(InputError, match="no strategy"):
        QueryExpansion(8, "most")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no token to expand"):
        made(expansion=QueryExpansion(8, token="[nothing]")).encode_queries(["red"])
    with pytest.raises(InputError, match="at least 1"):
        made().encode_documents(["red"], pool_factor=0.5)
    with pytest.raises(InputError, match="one text"):
        made().encode_queries("red")
