"""Every loss reached by its name: what it asks of the rows, and that training with it lowers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow, example_pairs, label_pairs, self_pairs
from cosmith.errors import InputError
from cosmith.losses import LOSSES, ContrastiveSpec, loss_of, loss_spec, preset, quantised, spread_out
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, estimate, train, train_with_result
from cosmith.training.contrastive import ContrastiveJob, prepare
from cosmith.training.distributed import Ranks
from cosmith.training.objective import spec_of
from cosmith.training.step import add_gradients
from cosmith.training.teaching import principal_axes, teach, turned

WORDS = ["".join("abcdefgh"[(number >> shift) & 7] for shift in (0, 3, 6)) for number in range(0, 500, 21)]
SETTINGS = TrainingSettings(
    steps=24, batch_size=8, learning_rate=5e-3, precision="float32", micro_batch_tokens=60, watch_every=None
)
TEACHER = tiny_encoder("qwen3", hidden=48)


def row(number: int, word: str) -> TrainingRow:
    """With all that some loss asks for: a negative, scores, a label."""
    return TrainingRow(
        word, (f"it is {word[::-1]}",), (f"it is {WORDS[number - 1]}",), scores=(0.9 - number % 3 / 4, 0.1),
        label=number % 4,
    )  # fmt: skip


FULL = Source.from_rows("full", [row(*each) for each in enumerate(WORDS)])
SAME = Source.from_rows(
    "same", [TrainingRow(word, (word,)) for word in WORDS], SourceSettings(task="pair", in_batch_negatives=True)
)
CLASSES = Source.from_rows(
    "classes",
    [TrainingRow(word, (), label=ord(word[0])) for word in WORDS],
    SourceSettings(task="classification"),
)


def without(**columns: Any) -> Source:
    return replace(FULL, arrays=replace(FULL.arrays, **columns))


def losses_of(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"classic", "gte", "qwen3-embedding", "gecko", "gemini"}))
def test_training_lowers_it(name: str, tmp_path: Path) -> None:
    source = {"simcse": SAME, "triplet-all": CLASSES, "triplet-hard": CLASSES}.get(name, FULL)
    encoder = tiny_encoder("bert", hidden=16, layers=1, dropout=0.1 if name == "simcse" else 0.0)
    temperature = 1.0 if name in ("siglip", "gist") else None  # at theirs this toy is learnt, or lost, at once
    settings = replace(SETTINGS, loss=name, temperature=temperature)
    if name == "siglip":
        settings = replace(settings, loss=loss_spec(name, bias=0.0))
    train(encoder, [source], settings, folder=tmp_path, teacher=TEACHER)
    losses = losses_of(tmp_path)
    assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:8])


def gradients(job: ContrastiveJob, step: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
    module = job.encoder.module.train()
    module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "name", ["triplet-all", "margin-online", "cosent", "score-kl", "follow-query", "gist", "simcse"]
)
def test_cached_is_direct(name: str) -> None:
    encoder = tiny_encoder("bert", dropout=0.2)
    settings = replace(SETTINGS, loss=name, dims=(16,), quantise=("int8",), spread_out=0.5)
    source = SAME if name == "simcse" else FULL
    make: Callable[..., ContrastiveJob] = lambda how: prepare(  # noqa: E731
        encoder, [source], replace(settings, strategy=how), teacher=TEACHER
    )
    loss, expected = gradients(make("direct"))
    other, got = gradients(make("cached"))
    assert other == loss
    assert all(torch.equal(got[key], expected[key]) for key in expected)


def test_a_text_embedded_twice_meets_other_dropout() -> None:
    job = prepare(tiny_encoder("bert", dropout=0.3), [SAME], replace(SETTINGS, loss="simcse"))
    _, batch = job.batch(0)
    seen: list[torch.Tensor] = []
    work = job.work(0)
    job.encoder.module.train()
    for numbers in work.batches:
        seen.append(work.embed(numbers))
    embeddings = torch.empty(batch.structure.embeddings, job.encoder.dimension)
    embeddings[torch.as_tensor(np.concatenate(work.batches))] = torch.cat(seen).detach()
    likeness = (embeddings[batch.structure.query] * embeddings[batch.structure.positives]).sum(1)
    assert batch.structure.embeddings == 16
    assert (likeness < 0.9999).all()


def test_without_dropout_nothing_is_embedded_twice() -> None:
    for family in ("bert", "qwen3"):
        with pytest.raises(InputError, match="no dropout"):
            train(tiny_encoder(family), [SAME], replace(SETTINGS, loss="simcse"))
        prepare(tiny_encoder(family, dropout=0.1), [SAME], replace(SETTINGS, loss="simcse"))


GRADED = Source.from_rows("graded", [TrainingRow(f"a{n}", (f"b{n}",), scores=(n % 3,)) for n in range(8)])
EQUAL = Source.from_rows("equal", [TrainingRow(f"a{n}", (f"b{n}",), scores=(1.0,)) for n in range(8)])
ONE_CLASS = Source.from_rows("one", [TrainingRow(f"a{n}", (f"b{n}",), label=int(n > 3) - 1) for n in range(8)])


@pytest.mark.parametrize(
    ("name", "source", "field", "message"),
    [
        ("cosent", without(scores=None), "scores", "the source 'full' has no scores, which its loss .cosent. needs"),
        ("score-kl", without(scores=None), "scores", "no scores"),
        ("triplet-all", without(labels=None), "label", "no labels"),
        ("triplet", SAME, "negatives", "no negatives"),
        ("margin", SAME, "negatives", "Mine negatives first"),
        (
            "own-negatives",
            SAME,
            "negatives",
            "Mine negatives first, or take a loss that compares rows with each other.",
        ),
        ("gist", FULL, "teacher", r"train\(..., teacher"),
        ("embedding-mse", FULL, "teacher", "no teacher's vectors"),
        ("cosent", CLASSES, "positives", "24 rows without a positive, row 0 the first"),
        ("classic", CLASSES, "positives", "without a positive"),
        ("cosine-mse", without(scores=FULL.scores * 5), "scores", "4.5, which no cosine reaches"),  # type: ignore[operator]
    ],
)
def test_what_the_rows_lack_is_named(name: str, source: Source, field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        train(tiny_encoder("bert", hidden=8, layers=1), [source], replace(SETTINGS, loss=name))
    assert error.value.field == field


@pytest.mark.parametrize(
    ("name", "source", "changes", "field"),
    [
        ("cosent", EQUAL, {}, "scores"),
        ("angle", EQUAL, {}, "scores"),
        ("cosent", GRADED, {"batch_size": 1}, "batch_size"),
        ("triplet-all", ONE_CLASS, {}, "label"),
        ("triplet-hard", ONE_CLASS, {}, "label"),
        ("triplet-hard", CLASSES, {"batch_size": 1}, "batch_size"),
    ],
)
def test_rows_that_differ_in_nothing_that_the_loss_compares_are_refused(
    name: str, source: Source, changes: dict[str, Any], field: str
) -> None:
    """The loss of any step would be 0, whatever the model."""
    with pytest.raises(InputError, match=r"learns from the order|text of another class") as error:
        train(tiny_encoder("bert", hidden=8, layers=1), [source], replace(SETTINGS, loss=name, **changes))
    assert error.value.field == field


def test_each_source_brings_its_loss_and_temperature() -> None:
    said = FULL.settings
    warm = replace(FULL, name="warm", settings=replace(said, temperature=0.5))
    graded = replace(FULL, name="graded", settings=replace(said, loss="cosent"))
    triplets = replace(FULL, name="triplets", settings=replace(said, loss="triplet"))
    settings = replace(SETTINGS, loss="classic", temperature=0.2)
    job = prepare(tiny_encoder("bert", hidden=8, layers=1), [FULL, warm, graded, triplets], settings)
    assert job.specs == (
        preset("classic", temperature=0.2), preset("classic", temperature=0.5), loss_spec("cosent", temperature=0.2),
        loss_spec("triplet"),
    )  # fmt: skip
    for step in range(8):
        number, batch = job.batch(step)
        embeddings = torch.nn.functional.normalize(torch.randn(batch.structure.embeddings, 8), dim=1)
        expected = loss_of(embeddings, batch.structure, job.specs[number])
        torch.testing.assert_close(job.loss(number, batch)(embeddings), expected)
    odd = replace(FULL, settings=replace(said, loss="triplet", temperature=0.5))
    with pytest.raises(InputError, match="has no temperature"):
        spec_of(odd, SETTINGS, 8)
    unknown = replace(FULL, settings=replace(said, loss="cosnet"))
    with pytest.raises(InputError, match=r"'cosnet', which the source 'full' asks for\. Did you mean 'cosent'"):
        spec_of(unknown, SETTINGS, 8)


def test_each_source_brings_its_losss_parameters(tmp_path: Path) -> None:
    def named(name: str, **changes: Any) -> Source:
        return replace(FULL, name=name, settings=replace(FULL.settings, **changes))

    sources = [
        named("triplets", loss={"name": "triplet", "margin": 0.4, "distance": "euclidean"}),
        named("graded", loss={"name": "cosent", "temperature": 0.1}),
        named("contrast", loss={"name": "classic", "hardness": 1.5, "denominators": [["own_negatives", "queries"]]}),
        named("warm", loss={"name": "cosent", "temperature": 0.1}, temperature=0.7),
        named("usual"),
    ]
    saved = [source.save(tmp_path / source.name) for source in sources]
    settings = replace(SETTINGS, temperature=0.3, batch_size=4)
    expected = (
        loss_spec("triplet", margin=0.4, distance="euclidean"), loss_spec("cosent", temperature=0.1),
        preset("classic", temperature=0.3, hardness=1.5, denominators=({"own_negatives", "queries"},)),
        loss_spec("cosent", temperature=0.7), preset("default", temperature=0.3),
    )  # fmt: skip
    encoder = tiny_encoder("bert", hidden=8, layers=1)
    for given in (sources, saved):
        job = prepare(encoder, given, settings)
        assert job.specs == expected
    met = set()
    for step in range(12):
        number, batch = job.batch(step)
        met.add(number)
        embeddings = torch.nn.functional.normalize(torch.randn(batch.structure.embeddings, 8), dim=1)
        torch.testing.assert_close(
            job.loss(number, batch)(embeddings), loss_of(embeddings, batch.structure, expected[number])
        )
    assert len(met) > 1
    result = train_with_result(encoder, saved[:2], replace(settings, steps=4), folder=tmp_path / "run")
    assert result.encoder.fingerprint() != encoder.fingerprint()
    with pytest.raises(InputError, match=r"has no 'margn', which the source 'odd' asks for\. Did you mean 'margin'"):
        spec_of(named("odd", loss={"name": "triplet", "margn": 1}), SETTINGS, 8)
    with pytest.raises(InputError, match="has no name"):
        SourceSettings(loss={"margin": 1})


def test_a_source_names_its_prompts() -> None:
    encoder = tiny_encoder("bert").set_prompts({"query": "ask ", "document": "say ", "other": "so "})
    for prompts, before in ((None, ("ask ", "say ")), (("other", "query"), ("so ", "ask "))):
        source = replace(FULL, settings=SourceSettings(prompts=prompts))
        tokenised = prepare(encoder, [source], SETTINGS).sources[0]
        numbers = (int(source.query[0]), int(source.positives[0]))
        for tokens, number, start in zip(
            (tokenised.query_tokens, tokenised.document_tokens), numbers, before, strict=True
        ):
            expected = encoder.tokenizer([start + source.texts[number]], encoder.max_length).values
            assert tokens.take(np.array([number])).values.tolist() == expected.tolist()
    with pytest.raises(InputError, match="Give two names"):
        SourceSettings(prompts=("query",))  # type: ignore[arg-type]


def test_a_loss_as_data_with_its_parameters() -> None:
    spec = loss_spec("triplet", margin=0.7, distance="euclidean")
    assert spec_of(FULL, replace(SETTINGS, loss=spec), 8) == spec
    for one, other in ((spec, loss_spec("triplet")), (loss_spec("margin"), loss_spec("margin-online"))):
        assert TrainingSettings(loss=one).identity() != TrainingSettings(loss=other).identity()
    json.dumps([TrainingSettings(loss=spec).identity() for spec in LOSSES.values()])


def test_ranks_add_up_with_all_that_can_be_added() -> None:
    settings = replace(SETTINGS, loss="cosent", dims=(16,), quantise=("int8", "binary"), spread_out=0.5)
    job = prepare(tiny_encoder("bert"), [FULL], settings)
    _, batch = job.batch(0)
    embeddings = torch.nn.functional.normalize(torch.randn(batch.structure.embeddings, 32), dim=1)
    parts = [job.loss(0, batch, Ranks(rank, 3))(embeddings) for rank in range(3)]
    whole = job.loss(0, batch)(embeddings)
    torch.testing.assert_close(torch.stack(parts).sum(), whole)
    by_hand = torch.zeros(())
    for width in (32, 16):
        prefix = torch.nn.functional.normalize(embeddings[:, :width], dim=1)
        for view in (prefix, seen("int8", prefix), seen("binary", prefix)):
            by_hand += loss_of(view, batch.structure, job.specs[0])
        by_hand += 0.5 * spread_out(prefix, batch.structure)
    torch.testing.assert_close(whole, by_hand)


def seen(kind: Any, embeddings: torch.Tensor) -> torch.Tensor:
    """The embeddings that a loss is given in quantisation-aware training."""
    given: list[torch.Tensor] = []
    quantised(lambda values: given.append(values) or values.sum(), kind)(embeddings)  # type: ignore[func-returns-value]
    return given[0]


# ---------------------------------------------------------------- teachers


def test_a_student_as_wide_as_its_teacher_gets_its_vectors() -> None:
    student = tiny_encoder("bert", hidden=48, layers=1)
    settings = replace(SETTINGS, steps=100, loss="follow-query")
    before, after = (
        (encoder.encode(WORDS, prompt="query") * TEACHER.encode(WORDS, prompt="query")).sum(1).mean()
        for encoder in (student, train(student, [FULL], settings, teacher=TEACHER))
    )
    assert after > 0.9 > before + 0.3


def test_vectors_are_turned_to_what_keeps_their_products() -> None:
    generator = np.random.default_rng(0)
    low = generator.normal(size=(200, 3)) @ np.diag([3.0, 2.0, 1.0]) @ generator.normal(size=(3, 10))
    vectors = (low / np.linalg.norm(low, axis=1, keepdims=True)).astype(np.float32)
    axes = principal_axes([vectors[:50], vectors[50:]], 5)
    np.testing.assert_allclose(axes.T @ axes, np.eye(5), atol=1e-5)
    np.testing.assert_allclose((vectors @ axes) @ (vectors @ axes).T, vectors @ vectors.T, atol=1e-4)
    lengths = np.square(vectors @ axes).sum(0)
    assert (np.diff(lengths) <= 1e-3).all()


def test_turning_is_one_for_all_sources_and_left_out_where_it_is_not_needed() -> None:
    taught = [teach(TEACHER, source) for source in (FULL, SAME)]
    assert turned(taught, 48, nested=False)[0] is taught[0]
    for dimension, nested in ((32, False), (48, True)):
        first, second = turned(taught, dimension, nested)
        np.testing.assert_allclose(np.linalg.norm(second.queries.values, axis=1), 1.0, atol=1e-5)
        both = np.flatnonzero(np.isin(FULL.query, FULL.query))
        left = first.queries.take(FULL.query[both])
        right = second.queries.take(SAME.query[both])
        np.testing.assert_allclose(left, right, atol=1e-5)
    with pytest.raises(InputError, match="48 dimensions, fewer than the student's 64"):
        turned(taught, 64, nested=False)


def test_the_teacher_works_once_and_belongs_to_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student, settings = tiny_encoder("bert", hidden=16, layers=1), replace(SETTINGS, steps=4, loss="embedding-mse")
    first = train_with_result(student, [FULL], settings, folder=tmp_path / "run", teacher=TEACHER)
    encode = Encoder.encode

    def encode_without_teacher(self: Encoder, *arguments: Any, **named: Any) -> np.ndarray:
        assert self is not TEACHER, "the teacher's vectors were kept"
        return encode(self, *arguments, **named)

    monkeypatch.setattr(Encoder, "encode", encode_without_teacher)
    again = train_with_result(student, [FULL], settings, folder=tmp_path / "run", teacher=TEACHER)
    assert again.encoder.fingerprint() == first.encoder.fingerprint()
    monkeypatch.undo()
    with pytest.raises(InputError, match="teacher"):
        train(student, [FULL], settings, folder=tmp_path / "run", teacher=tiny_encoder("bert"))
    assert estimate(student, [FULL], settings, teacher=TEACHER).steps == 4


@pytest.mark.parametrize("loss", ["gist", "embedding-mse"])
def test_a_teacher_whose_vectors_are_not_finite_is_refused(loss: str, tmp_path: Path) -> None:
    broken = tiny_encoder("bert", hidden=48)
    word = broken.tokenizer.tokenizer.encode(WORDS[5])[1]
    with torch.no_grad():
        broken.module.get_parameter("backbone.embeddings.word_embeddings.weight")[word] = torch.nan
    expected = rf"the teacher '{broken.name}' gives the text '.+' of the source '{FULL.name}' a vector"
    for folder in (None, tmp_path):
        with pytest.raises(InputError, match=expected):
            train(tiny_encoder("bert"), [FULL], replace(SETTINGS, loss=loss), folder=folder, teacher=broken)
    assert not list(tmp_path.rglob("teacher/*.npy"))


def test_a_guide_decides_what_is_left_out() -> None:
    """The guide takes every other document for a better answer: nothing is left to push away."""
    job = prepare(tiny_encoder("bert"), [FULL], replace(SETTINGS, loss="gist"), teacher=TEACHER)
    _, batch = job.batch(0)
    assert isinstance(job.specs[0], ContrastiveSpec)
    structure = batch.structure
    against = torch.nn.functional.normalize(torch.randn(structure.embeddings, 4), dim=1)
    against[structure.query] = torch.tensor([1.0, 0, 0, 0])
    against[structure.positives] = torch.tensor([-1.0, 0, 0, 0])
    embeddings = torch.nn.functional.normalize(torch.randn(structure.embeddings, 32), dim=1)
    loss = loss_of(embeddings, replace(structure, teacher=against), replace(job.specs[0], margin=-1e-3))
    assert loss == 0
    assert loss_of(embeddings, structure, job.specs[0]) > 0


# ---------------------------------------------------------------- classes, and texts alone


def test_classes_as_pairs_draw_classes_together() -> None:
    """Which of four letters a word begins with, learnt from examples and from the names of the classes."""
    texts = [first + rest for first in "abcd" for rest in ("hgf", "ghh", "fgh", "hfg", "ffg", "ghf")]
    labels = [f"begins with {text[0]}" for text in texts]
    base = tiny_encoder("bert")

    def apart(encoder: Encoder) -> float:
        """How much more alike words of one class are than words of two."""
        vectors = encoder.encode(texts, prompt="query")
        scores, same = vectors @ vectors.T, np.array(labels)[:, None] == np.array(labels)[None]
        return float(scores[same].mean() - scores[~same].mean())

    for source in (example_pairs("examples", texts, labels, negatives=3), label_pairs("labels", texts, labels)):
        assert apart(train(base, [source], replace(SETTINGS, temperature=0.1))) > apart(base) + 0.3


def test_simcse_spreads_texts_out() -> None:
    base = tiny_encoder("bert", dropout=0.1)

    def likeness(encoder: Encoder) -> float:
        vectors = encoder.encode(WORDS, prompt="query")
        return float((vectors @ vectors.T)[~np.eye(len(WORDS), dtype=bool)].mean())

    assert likeness(train(base, [self_pairs("texts", WORDS)], SETTINGS)) < likeness(base) - 0.1
