"""The parts of planning: which forms there are, and how long a search takes."""

from __future__ import annotations

import numpy as np
import pytest

from cosmith.compression.planning import ModelForm, parse_model_forms
from cosmith.compression.planning.model_forms import FULL, forms_here
from cosmith.compression.planning.search_time import enlarged, repeated, search_time
from cosmith.compression.planning.vector_choices import sizes_of, usual_forms, without_search
from cosmith.errors import InputError
from cosmith.models import initialise_static, tiny_encoder
from cosmith.retrieval.compressed import CompressedVectors, parse_form


def unit(count: int, dimension: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def test_forms_of_models_by_name() -> None:
    assert parse_model_forms("torch bf16, onnx int8,onnx int8") == (
        ModelForm("torch", "bf16"), ModelForm("onnx", "int8"),
    )  # fmt: skip
    assert [str(each) for each in parse_model_forms("onnx")] == ["onnx float32", "onnx float16", "onnx int8"]
    for wrong, problem in (
        ("onxx", "Did you mean 'onnx'"), ("onnx int4", "onnx has no precision 'int4'"),
        ("openvino int8", "int8-static"), (" , ", "names none"), ("torch int8", "torch has no precision"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=problem) as caught:
            parse_model_forms(wrong)
        assert caught.value.field == "runtimes"


def test_a_static_model_has_only_torch() -> None:
    static = initialise_static(tiny_encoder("bert").tokenizer.tokenizer, dimension=8)
    forms, notes = forms_here(static, None)
    assert forms == (FULL,)
    assert len(notes) == 1
    with pytest.raises(InputError, match="onnx int8: a static model"):
        forms_here(static, [ModelForm("onnx", "int8")])


def test_what_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cosmith.compression.planning.model_forms.find_spec", lambda name: None if name == "onnx" else object()
    )
    forms, notes = forms_here(tiny_encoder("bert"), None)
    assert {each.runtime for each in forms} == {"torch"}
    assert "onnx int8 is left out: needs onnx, not installed here." in notes
    with pytest.raises(InputError, match="needs onnx"):
        forms_here(tiny_encoder("bert"), [ModelForm("onnx", "int8")])


@pytest.mark.parametrize("dimension", [8, 64, 96, 384])
def test_the_usual_forms_go_with_every_length(dimension: int) -> None:
    pytest.importorskip("faiss")
    for searched in (True, False):
        forms = usual_forms(dimension, searched=searched)
        sizes = sizes_of(forms, dimension, 1_000, searched=searched)
        assert sizes[parse_form("int8")] == (dimension, 0)
        assert len(set(map(str, forms))) == len(forms)


def test_forms_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="cannot keep 99 of 8"):
        sizes_of([parse_form("pca99+int8")], 8, 1_000, searched=True)
    with pytest.raises(InputError, match="is a way to search, and no task searches"):
        sizes_of([parse_form("binary, rescored x2 by int8")], 8, 1_000, searched=False)
    with pytest.raises(InputError, match="99 is not between 1 and the model's 8"):
        usual_forms(8, dims=[99], searched=True)


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        ("pca4+int8", "pca4+int8"), ("binary, rescored x4 by float16", "float16"), ("ivf-rabitq", "rabitq"),
        ("rotated+hnsw-sq8", "rotated+uint8"),
    ],
)  # fmt: skip
def test_where_nothing_is_searched_the_finest_codes_count(form: str, meant: str) -> None:
    assert str(without_search(parse_form(form))) == meant


def test_more_vectors_of_the_same_kind() -> None:
    vectors = unit(20, 8)
    more = enlarged(vectors, 50, seed=5)  # with seed 0 the noise would be the vectors
    np.testing.assert_allclose(more[:20], vectors, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1, rtol=1e-5)
    assert len(np.unique(more.round(6), axis=0)) == 50
    assert ((more[20:40] * vectors).sum(1) > 0.9).all()
    coded = CompressedVectors.build(vectors, "binary, rescored x2 by int8")
    many = repeated(coded, 50)
    assert len(many) == 50
    assert many.search(vectors[:1], 3)[0].shape == (1, 3)


@pytest.mark.parametrize("form", ["int8", "binary, rescored x2 by int8", "hnsw-sq8", "ivf-rabitq"])
def test_a_search_is_timed_for_the_stated_corpus(form: str) -> None:
    if "-" in form:
        pytest.importorskip("faiss")
    vectors, queries = unit(100, 16), unit(5, 16)
    here = search_time(vectors, queries, parse_form(form), 2_000)
    assert here.measured_on == 2_000
    assert len(here.seconds) == 5
    assert min(here.seconds) > 0


def test_a_structure_is_timed_in_part() -> None:
    pytest.importorskip("faiss")
    assert search_time(unit(100, 16), unit(2, 16), parse_form("ivf-rabitq"), 40_000).measured_on == 20_000


@pytest.mark.parametrize(
    ("form", "within"),
    [
        ("int8", 0), ("pca8+binary, rescored x2 by float16", 0), ("ivf-rabitq", 1e-9),
        ("pca8+ivf-rabitq, rescored x2 by int8", 1e-9), ("hnsw-sq8", 1e-2),  # the levels of a graph are drawn
    ],
)  # fmt: skip
@pytest.mark.parametrize("corpus_size", [500, 20_000])
def test_what_a_form_takes_is_known_before_it_is_built(form: str, within: float, corpus_size: int) -> None:
    if "-" in form:
        pytest.importorskip("faiss")
    parsed = parse_form(form)
    built = CompressedVectors.build(unit(corpus_size, 16), parsed)
    first, finer = sizes_of([parsed], 16, corpus_size, searched=True)[parsed]
    assert first == pytest.approx(built.bytes, rel=within)
    assert finer == built.finer_bytes
