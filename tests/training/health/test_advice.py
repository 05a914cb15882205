"""Each verdict on a run, provoked by a run; and a sound run, of which nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow, self_pairs
from cosmith.losses import preset
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, train
from cosmith.training.contrastive import ContrastiveJob
from cosmith.training.health import RULES, Advice, History, advise, read_history

SETTINGS = TrainingSettings(steps=12, batch_size=16, learning_rate=1e-4, temperature=0.02, warmup=0.0,
                            schedule="constant", watch_every=2, evaluate_every=2, interpolate=False,
                            loss=replace(preset("default"), margin=None))  # fmt: skip
WORDS = ["".join("abcdefgh"[(number >> shift) & 7] for shift in (0, 3, 6, 9)) for number in range(0, 4096, 64)]
SOURCE = Source.from_rows("asked", [TrainingRow(f"ask {n}", (f"the answer is {n * 7}",)) for n in range(64)])


def moved(base: Encoder) -> Callable[[Encoder], float]:
    """How far an encoder's weights are from these."""
    start = [value.detach().clone() for value in base.module.parameters()]

    def distance(encoder: Encoder) -> float:
        parts = zip(encoder.module.parameters(), start, strict=True)
        return float(sum((value.detach() - old).square().sum() for value, old in parts) ** 0.5)

    return distance


def said(
    folder: Path,
    encoder: Encoder | None = None,
    source: Source = SOURCE,
    dev: Callable[[Encoder], float] | None = None,
    general: Callable[[Encoder], float] | None = None,
    **changes: Any,
) -> dict[str, Advice]:
    train(encoder or tiny_encoder("bert"), [source], replace(SETTINGS, **changes), folder=folder, dev=dev,
          general=general)  # fmt: skip
    return {each.rule: each for each in advise(read_history(folder))}


def test_a_sound_run(tmp_path: Path) -> None:
    base = tiny_encoder("bert")
    assert said(tmp_path, base, dev=moved(base)) == {}


def test_every_rule_is_provoked_here() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [rule.__name__ for rule in RULES if f'"{rule.__name__}"' not in here] == []


def test_over_fitting(tmp_path: Path) -> None:
    base = tiny_encoder("bert")
    distance = moved(base)
    far = {}
    train(base, [SOURCE], SETTINGS, dev=lambda encoder: far.setdefault(len(far), distance(encoder)))
    best = far[2]  # after step 4
    found = said(tmp_path, base, dev=lambda encoder: 1 - abs(distance(encoder) - best))["overfits"]
    assert found.says == "Best at step 4, over-fits after."
    assert "The best weights were kept. " in found.remedy
    last = said(tmp_path / "last", base, dev=lambda encoder: 1 - abs(distance(encoder) - best), keep_best=False,
                patience=9)["overfits"]  # fmt: skip
    assert "set keep_best to true" in last.remedy
    assert "patience" not in last.remedy


def test_worse_from_the_start(tmp_path: Path) -> None:
    base = tiny_encoder("bert")
    distance = moved(base)
    found = said(tmp_path, base, dev=lambda encoder: -distance(encoder))["never_better"]
    assert "0.0000 before" in found.evidence
    assert "negatives" not in found.remedy


@pytest.mark.parametrize(("score", "told"), [(0.2171, "Nothing moved"), (1.0, "cannot show more")])
@pytest.mark.parametrize("rate", [1e-4, 1e-9])
def test_a_development_score_that_stays(tmp_path: Path, score: float, told: str, rate: float) -> None:
    found = said(tmp_path, dev=lambda encoder: score, learning_rate=rate)
    assert set(found) == {"unmoved"} | ({"too_slow"} if rate < 1e-4 else set())
    assert told in found["unmoved"].says
    assert "learning rate" not in found["unmoved"].remedy


@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_nothing_is_made_of_scores_where_the_weights_hardly_move(tmp_path: Path, slope: float) -> None:
    """What the rules on scores would have changed, a lower learning rate, is the opposite of what helps."""
    base, calls = tiny_encoder("bert"), iter(range(100))
    scores = lambda encoder: 0.5 + slope * abs(next(calls) - 3) / 50  # noqa: E731
    assert set(said(tmp_path, base, dev=scores, general=lambda encoder: 0.4, learning_rate=1e-9)) == {"too_slow"}


def test_forgetting(tmp_path: Path) -> None:
    base = tiny_encoder("bert")
    distance = moved(base)
    found = said(tmp_path, base, dev=distance, general=lambda encoder: 1 - distance(encoder))["forgets"]
    assert "General set: 1.0000 before" in found.evidence
    assert "interpolate, or" in found.remedy
    mixed = said(tmp_path / "mixed", base, dev=distance, general=lambda encoder: 1 - distance(encoder),
                 interpolate=True)["forgets"]  # fmt: skip
    assert mixed.remedy.startswith("Interpolation looks at the development score only")


def test_negatives_that_are_answers(tmp_path: Path) -> None:
    """The model finds the answers among those of other rows: what scores above them was mined too near."""
    rows = [TrainingRow(WORDS[n], (f"{WORDS[n]} is",), (f"{WORDS[n]}.",)) for n in range(64)]
    found = said(tmp_path, source=Source.from_rows("mined", rows))
    assert "of the rows' own negatives score above the positive, but only" in found["negatives_above"].says
    assert found["negatives_above"].remedy.startswith("If they were mined, raise the threshold")
    assert "untrained" not in found


@pytest.mark.parametrize("in_batch", [True, False])
def test_a_model_that_tells_nothing_apart_is_no_witness_against_negatives(tmp_path: Path, in_batch: bool) -> None:
    """Negatives drawn at random, for a model from random weights that has nothing to go by."""
    rows = [TrainingRow(f"ask {n}", (WORDS[n],), (WORDS[n - 20],)) for n in range(64)]
    source = Source.from_rows("drawn", rows, SourceSettings(in_batch_negatives=in_batch))
    found = said(tmp_path, source=source)
    assert "does not yet tell answers from other texts" in found["untrained"].says
    assert "of the answers of other rows" in found["untrained"].says
    assert "threshold" not in found["untrained"].describe()
    assert "negatives_above" not in found


def test_a_margin_that_leaves_out_too_much(tmp_path: Path) -> None:
    loss = replace(preset("default"), margin=-0.02)
    assert "left out as likely answers" in said(tmp_path, loss=loss)["false_negatives"].says


@pytest.mark.parametrize("role", ["queries", "positives"])
def test_the_same_texts_again_and_again(tmp_path: Path, role: str) -> None:
    few = {"queries": 1, "positives": 64} if role == "queries" else {"queries": 64, "positives": 1}
    rows = [TrainingRow(f"ask {n % few['queries']}", (f"yes {n % few['positives']}",)) for n in range(64)]
    assert (
        f"of the {role} of a step are repeats" in said(tmp_path, source=Source.from_rows("same", rows))["repeats"].says
    )


def test_texts_that_are_their_own_positives_are_no_repeats(tmp_path: Path) -> None:
    source = self_pairs("texts", [f"text {n * 7}" for n in range(64)])
    assert "repeats" not in said(tmp_path, tiny_encoder("bert", dropout=0.1), source, loss="simcse")


def test_negatives_that_rows_share_are_no_repeats(tmp_path: Path) -> None:
    rows = [TrainingRow(f"ask {n}", (f"yes {n * 7}",), tuple(f"no {k}" for k in range(7))) for n in range(64)]
    assert "repeats" not in said(tmp_path, source=Source.from_rows("mined", rows))


@pytest.mark.parametrize(("temperature", "rule"), [(1e-4, "too_cold"), (30.0, "too_warm")])
def test_a_temperature_that_is_wrong(tmp_path: Path, temperature: float, rule: str) -> None:
    found = said(tmp_path, temperature=temperature)[rule]
    assert f"at a temperature of {temperature:g}" in found.evidence


@pytest.mark.parametrize("temperature", [0.02, 0.05])
def test_embeddings_that_lie_together_from_the_start(tmp_path: Path, temperature: float) -> None:
    encoder = tiny_encoder("bert")
    with torch.no_grad():  # a large part that all texts share
        encoder.module.get_parameter("backbone.encoder.layer.1.output.LayerNorm.bias").fill_(0.0)[0] = 60.0
    found = said(tmp_path, encoder, temperature=temperature, learning_rate=1e-5)
    assert "too_warm" not in found
    assert found["collapses"].says.startswith("The embeddings lie so near each other")
    assert f"at a temperature of {temperature:g}" in found["collapses"].evidence


def test_a_collapse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = lambda embeddings: -(embeddings @ embeddings.T).mean()  # noqa: E731
    monkeypatch.setattr(ContrastiveJob, "loss", lambda self, *arguments: pull)
    base = tiny_encoder("bert")
    with torch.no_grad():  # random words that are far apart to begin with
        base.module.get_parameter("backbone.embeddings.word_embeddings.weight").mul_(50)
    assert "collapse" in said(tmp_path, base, learning_rate=1e-2, steps=30)["collapses"].says


def test_a_part_without_gradient(tmp_path: Path) -> None:
    encoder = tiny_encoder("qwen3")
    with torch.no_grad():  # nothing comes into the layer and nothing out of it; the residual stream goes around it
        for name, value in encoder.module.named_parameters():
            if "layers.1." in name and ("layernorm" in name or "o_proj" in name or "down_proj" in name):
                value.zero_()
    assert said(tmp_path, encoder)["dead_layers"].says.startswith("layer-01 learns nothing")


@pytest.mark.parametrize(("rate", "rule"), [(1.0, "too_fast"), (1e-9, "too_slow")])
def test_a_learning_rate_that_is_wrong(tmp_path: Path, rate: float, rule: str) -> None:
    assert "earning rate" in said(tmp_path, learning_rate=rate)[rule].says


def test_steps_that_were_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ContrastiveJob.work

    def work(self: ContrastiveJob, step: int, *arguments: Any) -> Any:
        made = whole(self, step, *arguments)
        return replace(made, loss=lambda embeddings: made.loss(embeddings) * float("nan")) if step == 4 else made

    monkeypatch.setattr(ContrastiveJob, "work", work)
    assert "step 5" in said(tmp_path, on_divergence="skip")["left_out"].evidence


def read_with(folder: Path, known: dict[str, str], **settings: Any) -> Advice | None:
    encoder = tiny_encoder("bert")
    encoder.spec = replace(encoder.spec, prompts=known)
    source = replace(SOURCE, settings=replace(SOURCE.settings, **settings))
    return said(folder, encoder, source, steps=1).get("without_prompt")


@pytest.mark.parametrize(
    ("prompts", "told", "remedy"),
    [
        ({"query": "Instruct: {task}\nQuery: "}, "asked gives none", "(instruction)"),
        ({"passage": "passage: "}, "Documents are encoded without the model's prompt 'passage'.", "[query, passage]"),
        (
            {"search_query": "search_query: ", "search_document": "search_document: ", "clustering": "clustering: "},
            "Queries and documents are encoded without the model's prompts 'search_query' and 'search_document'.",
            "Set prompts of asked to [search_query, search_document]",
        ),
        (
            {"s2s_query": "Instruct: alike\nQuery: ", "s2p_query": "Instruct: answer\nQuery: "},
            "Queries are encoded without the model's prompt 's2p_query'.",
            "Set prompts of asked to [s2p_query, document]",
        ),
        (
            {"Query": "query: ", "document": "passage: "},
            "Queries are encoded without the model's prompt 'Query'.",
            "Set prompts of asked to [Query, document]",
        ),
    ],
)
def test_prompts_that_are_not_used(tmp_path: Path, prompts: dict[str, str], told: str, remedy: str) -> None:
    found = read_with(tmp_path, prompts)
    assert found is not None
    assert told in found.says
    assert remedy in found.remedy
    for name in set(prompts) & set(found.says.split("'")):
        assert repr(prompts[name]) in found.evidence


@pytest.mark.parametrize("document", [{}, {"document": "passage: "}])
def test_queries_that_are_read_as_documents(tmp_path: Path, document: dict[str, str]) -> None:
    found = read_with(tmp_path, {"query": "query: ", **document}, prompts=("document", "document"))
    assert found is not None
    assert found.says == "Queries are encoded without the model's prompt 'query'."
    assert "asked asks for the prompt 'document'" in found.evidence
    assert "Set prompts of asked to [query, document]" in found.remedy


@pytest.mark.parametrize(
    ("prompts", "settings"),
    [
        ({"query": "query: ", "passage": "passage: "}, {"prompts": ("query", "passage")}),
        ({"query": "query: "}, {}),
        ({"query": "query: ", "document": "passage: "}, {"task": "sts", "in_batch_negatives": True}),
        ({"search_query": "q: ", "search_document": "d: ", "clustering": "c: "}, {"prompts": ("clustering",) * 2}),
        ({"query": "Instruct: {task}\nQuery: "}, {"instruction": "Answer"}),
        ({"query": "Instruct: {task}\nQuery: ", "bare": "ask: "}, {"prompts": ("bare", "document")}),
    ],
)
def test_prompts_that_are_used(tmp_path: Path, prompts: dict[str, str], settings: dict[str, Any]) -> None:
    assert read_with(tmp_path, prompts, **settings) is None


def test_a_run_that_did_not_write_down_its_prompts() -> None:
    old = {"name": "asked", "rows": 64, "task": "retrieval", "instruction": ""}
    history = History([], [], {"prompts": {"search_query": "q: "}, "sources": [old]})
    assert "without_prompt" not in {each.rule for each in advise(history)}
