"""Names of forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.retrieval.compressed import Coding, FaissStructure, SearchForm, TransformStep, parse_form, parse_forms

STEPS = st.one_of(
    st.builds(TransformStep, st.just("cut"), st.integers(1, 999)),
    st.builds(TransformStep, st.sampled_from(["pca", "centred-pca", "whitened"]), st.none() | st.integers(1, 999)),
    st.just(TransformStep("rotated")),
)
CHAINS = st.lists(STEPS, max_size=3).map(tuple)
CODINGS = st.one_of(
    st.builds(Coding, st.sampled_from(["float32", "float16", "int8", "uint8", "binary", "rabitq"]), CHAINS),
    st.builds(Coding, st.just("pq"), CHAINS, st.integers(1, 99)),
)
STRUCTURES = st.builds(FaissStructure, st.sampled_from(["hnsw-sq8", "ivf-rabitq"]), CHAINS)
FORMS = st.one_of(
    st.builds(SearchForm, CODINGS | STRUCTURES),
    st.builds(SearchForm, CODINGS | STRUCTURES, st.integers(1, 50), CODINGS.filter(lambda each: each.code != "binary")),
)


@given(FORMS)
def test_a_form_is_what_its_name_says(form: SearchForm) -> None:
    assert parse_form(str(form)) == form


def test_names_by_hand() -> None:
    found = parse_form("pca128+binary, rescored x4 by int8")
    assert found == SearchForm(Coding("binary", (TransformStep("pca", 128),)), 4, Coding("int8"))
    assert str(parse_form(" ivf-rabitq ,refined  x3 ")) == "ivf-rabitq, rescored x3 by int8"
    assert [str(form) for form in parse_forms("int8; pq48;int8 ;")] == ["int8", "pq48"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("int9", "'int9': there is no code 'int9'. Did you mean 'int8'"),
        ("pca+", "there is no code ''"),
        ("pcb128+int8", "there is no transform 'pcb128'. Did you mean 'pca'"),
        ("cut+int8", "'cut' does not say how many numbers to keep"),
        ("pca0+int8", "'pca0' does not say how many"),
        ("rotated64+int8", "a rotation keeps all numbers"),
        ("pq0", "there is no code 'pq0'"),
        ("binary, then int8", "'then int8' is not how candidates are put in order"),
        ("binary, rescored x0 by int8", "a code that scores them. Write, for example"),
        ("int8, rescored x4 by binary", "signs cannot put candidates in a finer order"),
        ("int8, rescored x4 by hnsw-sq8", "hnsw-sq8 finds candidates, but does not put any in order"),
    ],
)
def test_what_is_no_form_is_refused_with_the_part(said: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_form(said)
    assert told in str(caught.value)


def test_no_forms_are_refused() -> None:
    with pytest.raises(InputError, match="names no form"):
        parse_forms(" ; ")
