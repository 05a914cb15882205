"""Templates are files that a user copies and changes, and that do nothing but text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.mining.synthesis import (
    KINDS,
    SynthesisSettings,
    builtin_templates,
    load_template,
    parse_template,
)

HEAD = "---\nkind: paraphrase\n---\n"


def test_there_is_a_template_of_every_kind_and_each_says_what_it_is_for() -> None:
    assert {each.kind for each in builtin_templates().values()} == set(KINDS)
    for name, each in builtin_templates().items():
        assert each.description
        assert f'"{KINDS[each.kind].answer}"' in each.prompt
        filled = each.fill({place: f"<{place}>" for place in KINDS[each.kind].placeholders})
        assert "<passage>" in filled
        assert '{"' in filled
        assert "{{" not in filled
        assert load_template(name, each.kind) is each


@given(st.text())
def test_what_is_filled_in_stays_what_it_is(passage: str) -> None:
    template = parse_template(HEAD + "Say {{it}} anew: {passage}!", Path("mine.md"))
    assert template.fill({"passage": passage}) == f"Say {{it}} anew: {passage}!"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Say {passage} anew", "mine.md:1: has no head"),
        ("---\nkind: [\n---\n{passage}", "the head is not YAML"),
        ("---\nkind: poem\n---\n{passage}", "'poem' is no kind of template"),
        ("---\nkind: query\nkinds: 1\n---\n{passage}", "unknown key 'kinds'. Did you mean 'kind'?"),
        ("---\nkind: query\nmax_tokens: none\n---\n{passage}", "max_tokens"),
        ("---\nkind: query\ntemperature: 9\n---\n{passage}", "temperature"),
        (HEAD + "Say it anew", "has no place for {passage}"),
        (HEAD + "\nSay it\nanew: {passage} {words}", "mine.md:6: there is nothing called {words}"),
        (HEAD + "{passage} {passage.__class__}", "more than a name"),
        (HEAD + "{passage!r}", "more than a name"),
        (HEAD + "{passage:>10}", "more than a name"),
        (HEAD + "{passage[0]}", "more than a name"),
        (HEAD + "{} {passage}", "more than a name"),
        (HEAD + '{passage} as {"paraphrase": "…"}', "more than a name"),
        (HEAD + "{passage} }", "single brace"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.md").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        load_template(tmp_path / "mine.md")
    assert told in str(raised.value)


def test_a_changed_template_is_what_is_asked_and_is_told_apart(
    language_model: Any, write: Callable[..., Any], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text(builtin_templates()["query"].text.replace("one search query", "one query for our shop"))
    with language_model() as model:
        plain = write(model)
        asked = len(model.asked)
        changed = write(model, writing_template=str(mine))
        assert len(model.asked) == asked + 6  # the configurations are the same, and there already
    assert "one query for our shop" in model.asked[-1]["messages"][-1]["content"]
    assert plain.rows[0].template == builtin_templates()["query"].fingerprint() != changed.rows[0].template


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"product": "poems"}, "cannot make 'poems'"),
        ({"each": 0}, "each"),
        ({"words": (9, 3)}, "words"),
        ({"types": ("keyword",)}, "Did you mean 'keywords'?"),
        ({"types": ()}, "none is left"),
        ({"product": "translations"}, "no language to translate into"),
        ({"product": "classes"}, "no class is named"),
        ({"product": "classes", "classes": ("a",)}, "two or more"),
        ({"classes": ("a", "b")}, "queries have no classes"),
        ({"writing_template": "translation"}, "is a template of the kind translation"),
        ({"writing_template": "absent.md"}, "no such file"),
        ({"product": "paraphrases", "configuration_template": "configuration"}, "have no configuration"),
    ],
)
def test_settings_that_make_no_sense(said: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as raised:
        SynthesisSettings(**said)
    assert told in str(raised.value)
