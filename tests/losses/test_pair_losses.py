"""The losses of pairs, triplets and teachers: against definitions made of loops, by hand, and the laws of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations
from math import exp, log, sqrt
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses import LOSSES, ContrastiveSpec, CosentSpec, CustomSpec, StepStructure, loss_of, loss_spec
from cosmith.losses.dispatch import _FUNCTIONS

QUICK = settings(max_examples=25, deadline=None)
NAMES = sorted(name for name, spec in LOSSES.items() if not isinstance(spec, ContrastiveSpec))
VARIANTS = [
    *(loss_spec(name) for name in NAMES),
    loss_spec("triplet", distance="euclidean", margin=None),
    loss_spec("triplet-all", distance="euclidean", margin=1.0),
    loss_spec("triplet-hard", distance="euclidean"),
    loss_spec("triplet-hard", margin=None),
    loss_spec("margin", margin=1.5),
    loss_spec("margin-mse", scale=20.0),
    loss_spec("score-kl", temperature=0.5, teacher_temperature=2.0),
]


def unit(count: int, width: int = 4, seed: int = 0) -> Tensor:
    noise = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(noise, dim=1)


@st.composite
def structures(draw: st.DrawFn) -> StepStructure:
    """Ragged rows over few texts, with everything that some loss needs."""
    size = draw(st.integers(2, 9))
    texts = st.integers(0, size - 1)
    documents = st.tuples(texts, st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0]))
    row = st.tuples(texts, st.lists(documents, min_size=1, max_size=3), st.lists(documents, max_size=3))
    rows = draw(st.lists(row, min_size=1, max_size=5))
    fields: dict[str, list[Any]] = {
        name: [] for name in ("positives", "positive_row", "positive_score", "negatives", "negative_row",
                              "negative_score")
    }  # fmt: skip
    for number, (_, positives, negatives) in enumerate(rows):
        for role, scored in (("positive", positives), ("negative", negatives)):
            for document, score in scored:
                fields[f"{role}s"].append(document)
                fields[f"{role}_row"].append(number)
                fields[f"{role}_score"].append(score)
    return StepStructure.of(
        query=[query for query, _, _ in rows],
        text=list(range(size)),
        label=draw(st.lists(st.integers(-1, 2), min_size=len(rows), max_size=len(rows))),
        teacher=unit(size, 6, seed=50),
        **fields,
    )


# What each loss is, one pair or triplet at a time.


def pairs(s: StepStructure) -> list[tuple[int, int, int, bool, float]]:
    """(row, query, document, whether positive, score)."""
    assert s.positive_score is not None
    assert s.negative_score is not None
    found = []
    for is_positive, documents, rows, scores in (
        (True, s.positives, s.positive_row, s.positive_score), (False, s.negatives, s.negative_row, s.negative_score),
    ):  # fmt: skip
        for document, row, score in zip(documents.tolist(), rows.tolist(), scores.tolist(), strict=True):
            found.append((row, int(s.query[row]), document, is_positive, score))
    return found


def triples(s: StepStructure) -> list[tuple[tuple[int, float], tuple[int, float], int]]:
    """((positive, score), (negative, score), query) of each row."""
    return [
        ((p, t), (n, u), q)
        for row, q, p, positive, t in pairs(s)
        for other, _, n, also, u in pairs(s)
        if positive and not also and row == other
    ]


def mean(values: list[Tensor]) -> Tensor | float:
    return sum(values) / len(values) if values else 0.0


def naive_triplet(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    def d(i: int, j: int) -> Tensor:
        return 1 - e[i] @ e[j] if spec.distance == "cosine" else torch.dist(e[i], e[j])

    def hinge(x: Tensor) -> Tensor:
        return torch.nn.functional.softplus(x) if spec.margin is None else torch.relu(x + spec.margin)

    if spec.triplets == "own":
        return mean([hinge(d(q, p) - d(q, n)) for (p, _), (n, _), q in triples(s)])
    assert s.label is not None
    label = s.label.tolist()
    points = {(int(s.query[row]), label[row]) for row in range(s.rows) if label[row] >= 0}
    points |= {(document, label[row]) for row, _, document, positive, _ in pairs(s) if positive and label[row] >= 0}
    losses = []
    for a, of in sorted(points):
        near = [d(a, p) for p, same in sorted(points) if same == of and p != a]
        far = [d(a, n) for n, other in sorted(points) if other != of and n != a]
        if near and far:
            losses += [hinge(max(near) - min(far))] if spec.triplets == "hard" else [
                loss for loss in (hinge(p - n) for p in near for n in far) if loss > 0
            ]  # fmt: skip
    return mean(losses)


def naive_margin(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    def loss(q: int, document: int, positive: bool) -> Tensor:
        d = 1 - e[q] @ e[document]
        return 0.5 * (d if positive else torch.relu(spec.margin - d)) ** 2

    return mean([loss(q, document, positive) for _, q, document, positive, _ in pairs(s)])


def naive_online(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    near = [1 - e[q] @ e[document] for _, q, document, positive, _ in pairs(s) if positive]
    far = [1 - e[q] @ e[document] for _, q, document, positive, _ in pairs(s) if not positive]
    least, most = min(far) if far else mean(near), max(near) if near else mean(far)
    hard = [d**2 for d in near if d > least]
    return sum([*hard, *(torch.relu(spec.margin - d) ** 2 for d in far if d < most)])


def naive_cosine_mse(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    return mean([(e[q] @ e[document] - score) ** 2 for _, q, document, _, score in pairs(s)])


def in_order(scored: list[tuple[Tensor, float]], temperature: float) -> Tensor:
    total = torch.ones((), dtype=torch.float64)
    for one, other in combinations(scored, 2):
        if one[1] != other[1]:
            low, high = sorted((one, other), key=lambda each: each[1])
            total = total + torch.exp((low[0] - high[0]) / temperature)
    return total.log()


def naive_cosent(e: Tensor, s: StepStructure, spec: Any) -> Tensor:
    return in_order([(e[q] @ e[document], score) for _, q, document, _, score in pairs(s)], spec.temperature)


def naive_angle(e: Tensor, s: StepStructure, spec: Any) -> Tensor:
    """The quotient z / w in complex numbers, over the quotient of their lengths."""

    def similarity(i: int, j: int) -> Tensor:
        z, w = (torch.complex(*e[each].chunk(2)) for each in (i, j))
        quotient = z * w.conj() / (e[i].norm() * e[j].norm())
        return (quotient.real + quotient.imag).sum().abs()

    return in_order([(similarity(q, document), score) for _, q, document, _, score in pairs(s)], spec.temperature)


def naive_margin_mse(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    return mean([(spec.scale * (e[q] @ e[p] - e[q] @ e[n]) - (t - u)) ** 2 for (p, t), (n, u), q in triples(s)])


def naive_score_kl(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    losses = []
    for row in range(s.rows):
        mine = [pair for pair in pairs(s) if pair[0] == row]
        student = torch.stack([e[q] @ e[document] for _, q, document, _, _ in mine]) / spec.temperature
        teacher = torch.tensor([score for *_, score in mine], dtype=torch.float64) / spec.teacher_temperature
        losses.append(
            torch.nn.functional.kl_div(student.log_softmax(0), teacher.log_softmax(0), log_target=True, reduction="sum")
        )
    return mean(losses)


def naive_embedding_mse(e: Tensor, s: StepStructure, spec: Any) -> Tensor | float:
    assert s.teacher is not None
    target = torch.nn.functional.normalize(s.teacher[:, : e.shape[1]], dim=1)
    if spec.target == "own":
        return torch.nn.functional.mse_loss(e, target)
    wanted = [(int(query), int(query)) for query in s.query]
    wanted += [(document, query) for _, query, document, positive, _ in pairs(s) if positive]
    return mean([((e[text] - target[of]) ** 2).mean() for text, of in wanted])


DEFINITIONS: dict[str, Callable[..., Tensor | float]] = {
    "TripletSpec": naive_triplet, "MarginSpec": naive_margin, "OnlineMarginSpec": naive_online,
    "CosineMseSpec": naive_cosine_mse, "CosentSpec": naive_cosent, "AngleSpec": naive_angle,
    "MarginMseSpec": naive_margin_mse, "ScoreKlSpec": naive_score_kl, "EmbeddingMseSpec": naive_embedding_mse,
}  # fmt: skip


def value_and_gradient(embeddings: Tensor, loss: Callable[[Tensor], Any]) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf) + 0 * leaf.sum()
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def along_the_sphere(embeddings: Tensor, gradient: Tensor) -> Tensor:
    """What of a gradient reaches a model that ends in unit vectors; formulas may differ off the sphere."""
    return gradient - (gradient * embeddings).sum(1, keepdim=True) * embeddings


def assert_same(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
@QUICK
@given(structures(), st.integers(0, 99))
def test_every_loss_is_its_definition(spec: Any, structure: StepStructure, seed: int) -> None:
    embeddings = unit(structure.embeddings, seed=seed)
    naive = DEFINITIONS[type(spec).__name__]
    value, gradient = value_and_gradient(embeddings, lambda e: loss_of(e, structure, spec))
    other, expected = value_and_gradient(embeddings, lambda e: naive(e, structure, spec))
    # The distance of a text from itself has no derivative; plain autograd makes NaN of it.
    expected = torch.where(expected.isnan(), gradient, expected)
    assert_same((value, along_the_sphere(embeddings, gradient)), (other, along_the_sphere(embeddings, expected)))


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
@QUICK
@given(structures(), st.data())
def test_the_shares_of_ranks_add_up(spec: Any, structure: StepStructure, data: st.DataObject) -> None:
    embeddings = unit(structure.embeddings)
    cuts = sorted(data.draw(st.lists(st.integers(0, structure.rows), min_size=2, max_size=2)))
    shares = [slice(0, cuts[0]), slice(*cuts), slice(cuts[1], None)]
    parts = [value_and_gradient(embeddings, lambda e, s=s: loss_of(e, structure, spec, rows=s)) for s in shares]
    whole = value_and_gradient(embeddings, lambda e: loss_of(e, structure, spec))
    assert_same((sum(value for value, _ in parts), sum(gradient for _, gradient in parts)), whole)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
@QUICK
@given(structures(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_texts_changes_nothing(spec: Any, structure: StepStructure, random: Any) -> None:
    embeddings = unit(structure.embeddings)
    new_text = torch.tensor(random.sample(range(structure.embeddings), structure.embeddings))
    new_row = torch.tensor(random.sample(range(structure.rows), structure.rows))
    mixed = torch.tensor(random.sample(range(len(structure.positives)), len(structure.positives)))
    old_text, old_row = torch.argsort(new_text), torch.argsort(new_row)
    assert structure.label is not None
    assert structure.positive_score is not None
    assert structure.teacher is not None
    other = StepStructure.of(
        query=new_text[structure.query][old_row],
        positives=new_text[structure.positives][mixed],
        positive_row=new_row[structure.positive_row][mixed],
        positive_score=structure.positive_score[mixed],
        negatives=new_text[structure.negatives],
        negative_row=new_row[structure.negative_row],
        negative_score=structure.negative_score,
        text=structure.text[old_text],
        label=structure.label[old_row],
        teacher=structure.teacher[old_text],
    )
    value, gradient = value_and_gradient(embeddings[old_text], lambda e: loss_of(e, other, spec))
    assert_same((value, gradient[new_text]), value_and_gradient(embeddings, lambda e: loss_of(e, structure, spec)))


# q1 = (1, 0) with p1 = (.8, .6) [score 1] and n1 = (0, 1) [score 0]; q2 = (0, -1) with p2 = (.6, -.8) [score .5].
# Cosines: q1·p1 = .8, q1·n1 = 0, q2·p2 = .8. Labels 0 and 1. The teacher's vectors are unit vectors of the plane.
PLANE = torch.tensor([[1, 0], [0, -1], [0.8, 0.6], [0.6, -0.8], [0, 1]], dtype=torch.float64)
ROWS = StepStructure.of(
    query=[0, 1], positives=[2, 3], positive_row=[0, 1], negatives=[4], negative_row=[0], text=range(5),
    positive_score=[1.0, 0.5], negative_score=[0.0], label=[0, 1],
    teacher=[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]],
)  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # The row's triplet: (1 - .8) - (1 - 0) + 1.5 = 0.7.
        (loss_spec("triplet", margin=1.5), 0.7),
        (loss_spec("triplet"), 0.0),
        (loss_spec("triplet", margin=None), log(1 + exp(-0.8))),
        # Euclidean: |q1 - p1| = √.4, |q1 - n1| = √2.
        (loss_spec("triplet", margin=1.0, distance="euclidean"), sqrt(0.4) - sqrt(2) + 1),
        # Points: q1 and p1 of label 0, q2 and p2 of label 1. Distances across: q1·q2 1, q1·p2 .4, p1·q2 1.6,
        # p1·p2 = .48 - .48 = 0: 1. Within: .2 each. Hardest for q1: .2 - .4, p1: .2 - 1, q2: .2 - 1, p2: .2 - .4.
        (loss_spec("triplet-hard", margin=0.5), (0.3 + 0 + 0 + 0.3) / 4),
        # Margin .9: 1.1 - d over the eight (anchor, negative): q1: .1, .7; p1: -, .1; q2: .1, -; p2: .7, .1.
        (loss_spec("triplet-all", margin=0.9), (0.1 + 0.7 + 0.1 + 0.1 + 0.7 + 0.1) / 6),
        # ½ (.2² + .2² + max(0, 1.2 - 1)²) / 3.
        (loss_spec("margin", margin=1.2), 0.02),
        # Positives are at .2, the negative at 1: none is farther than 1, it is not nearer than .2.
        (loss_spec("margin-online"), 0.0),
        # (.8 - 1)², (.8 - .5)², (0 - 0)².
        (loss_spec("cosine-mse"), (0.04 + 0.09) / 3),
        # Grades 0 < .5 < 1: e^(0 - .8) twice, e^(.8 - .8).
        (loss_spec("cosent", temperature=1.0), log(1 + 2 * exp(-0.8) + 1)),
        # q1, p1: |.8 + (0·.8 - 1·.6)| = .2; q1, n1: |0 - 1| = 1; q2, p2: |.8 + (-1·.6 - 0)| = .2.
        (loss_spec("angle", temperature=1.0), log(1 + 2 * exp(0.8) + 1)),
        # (.8 - 0) - (1 - 0) = -.2; at a scale of 2, .6.
        (loss_spec("margin-mse"), 0.04),
        (loss_spec("margin-mse", scale=2.0), 0.36),
        # Row 1: teacher e^1 to e^0: .731059; student e^.8 to e^0: .689974; row 2 has one candidate: 0.
        (loss_spec("score-kl", temperature=1.0),
         (0.731059 * log(0.731059 / 0.689974) + 0.268941 * log(0.268941 / 0.310026)) / 2),
        # Squared errors: q1 0, q2 4, p1 .4, p2 .16 + .64, n1 0, over 5 texts of 2 dimensions.
        (loss_spec("embedding-mse"), (4 + 0.4 + 0.8) / 10),
        # q1 0, p1 .4 to (1, 0); q2 4, p2 to (0, 1): .36 + 3.24; over 4 texts of 2 dimensions.
        (loss_spec("follow-query"), (0.4 + 4 + 3.6) / 8),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_by_hand(spec: Any, expected: float) -> None:
    assert loss_of(PLANE, ROWS, spec).item() == pytest.approx(expected, abs=1e-6)


def test_hard_pairs_by_hand() -> None:
    # One positive at 1.6 and one at .2, negatives at 1 and .4: hard are 1.6 (beyond .4), and both negatives (within
    # 1.6); at a margin of .5 only the one at .4 costs: 1.6² + .1².
    embeddings = torch.tensor([[1, 0], [-0.6, 0.8], [0.8, 0.6], [0, 1], [0.6, 0.8]], dtype=torch.float64)
    structure = StepStructure.of(
        query=[0], positives=[1, 2], positive_row=[0, 0], negatives=[3, 4], negative_row=[0, 0], text=range(5)
    )
    assert loss_of(embeddings, structure, loss_spec("margin-online")).item() == pytest.approx(2.57)


def test_there_is_a_function_a_definition_and_a_hand_number_for_each() -> None:
    assert {spec.__name__ for spec in _FUNCTIONS} == {*DEFINITIONS, "ContrastiveSpec", "CustomSpec"}
    assert {type(spec) for spec in LOSSES.values()} == set(_FUNCTIONS) - {CustomSpec}


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
def test_gradcheck(spec: Any) -> None:
    structure = StepStructure.of(
        query=[0, 1, 2], positives=[3, 4, 5], positive_row=[0, 1, 2], negatives=[6, 7, 5], negative_row=[0, 1, 1],
        positive_score=[1.0, 0.5, 0.7], negative_score=[0.1, 0.2, 0.0], text=range(8), label=[0, 1, 0],
        teacher=unit(8, 6, seed=2),
    )  # fmt: skip
    leaf = unit(8, seed=1).requires_grad_()
    assert loss_of(leaf, structure, spec) > 0
    assert torch.autograd.gradcheck(lambda values: loss_of(values, structure, spec), [leaf])


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
def test_float32_half_precision_and_autocast(spec: Any) -> None:
    embeddings = unit(5, 2, seed=4)
    exact = loss_of(embeddings, ROWS, spec)
    single = loss_of(embeddings.float(), ROWS, spec)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=1e-6)
    assert loss_of(embeddings.bfloat16(), ROWS, spec).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss_of(embeddings.float(), ROWS, spec), single)


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
def test_a_broken_embedding_is_not_hidden(spec: Any) -> None:
    for place in (0, 2):
        embeddings = unit(5, 2)
        embeddings[place, 0] = torch.nan
        assert torch.isnan(loss_of(embeddings, ROWS, spec)), place


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
def test_texts_that_fall_together_have_a_finite_gradient(spec: Any) -> None:
    _, gradient = value_and_gradient(torch.full((5, 2), sqrt(0.5)).double(), lambda e: loss_of(e, ROWS, spec))
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
def test_a_single_row_of_one_pair_is_no_failure(spec: Any) -> None:
    structure = StepStructure.of(
        query=[0], positives=[1], positive_row=[0], text=[0, 1], positive_score=[1.0], label=[0],
        teacher=unit(2, 4, seed=9),
    )  # fmt: skip
    value, gradient = value_and_gradient(unit(2), lambda e: loss_of(e, structure, spec))
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    if isinstance(spec, CosentSpec):  # nothing to compare the pair with; that it is broken is seen all the same
        assert torch.isnan(loss_of(unit(2) * torch.nan, structure, spec))


def test_labels_alone_are_enough_for_triplets_by_label() -> None:
    """No row has a positive: the queries are the points."""
    labels = [0, 0, 1, 1, -1]
    structure = StepStructure.of(query=range(5), positives=[0], positive_row=[4], text=range(5), label=labels)
    points = unit(5)
    expected = [
        max(1 - points[a] @ points[p] for p in range(4) if p != a and labels[p] == labels[a])
        - min(1 - points[a] @ points[n] for n in range(4) if labels[n] != labels[a]) + 0.2
        for a in range(4)
    ]  # fmt: skip
    value = loss_of(points, structure, loss_spec("triplet-hard"))
    torch.testing.assert_close(value, torch.stack(expected).relu().mean())


def test_a_projection_is_trained_with_the_student() -> None:
    from cosmith.losses import EmbeddingMseSpec, embedding_mse

    structure = dataclasses.replace(ROWS, teacher=unit(5, 3, seed=8))
    embeddings, projection = unit(5, 2).requires_grad_(), unit(2, 3).requires_grad_()
    value = embedding_mse(embeddings, structure, EmbeddingMseSpec(), projection=projection)
    assert structure.teacher is not None
    torch.testing.assert_close(value, torch.nn.functional.mse_loss(embeddings @ projection, structure.teacher))
    assert torch.autograd.gradcheck(
        lambda e, p: embedding_mse(e, structure, EmbeddingMseSpec(), projection=p), [embeddings, projection]
    )


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("cosine-mse", {"positive_score": None, "negative_score": None}, "no scores"),
        ("margin-mse", {"positive_score": None, "negative_score": None}, "no scores"),
        ("embedding-mse", {"teacher": None}, "no vectors of another model"),
        ("gist", {"teacher": None}, "no vectors of another model"),
        ("embedding-mse", {"teacher": torch.ones(5, 1)}, "2 dimensions cannot follow a teacher's of 1"),
    ],
)
def test_what_the_step_lacks_is_named(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        loss_of(PLANE, dataclasses.replace(ROWS, **changes), loss_spec(name))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("triplet-al", {}, "Did you mean 'triplet-all'"),
        ("triplet", {"margn": 1}, "Did you mean 'margin'"),
        ("triplet", {"triplets": "hrad"}, "Did you mean 'hard'"),
        ("triplet", {"distance": "manhattan"}, "no distance 'manhattan'"),
        ("triplet-all", {"margin": None}, "margin is None"),
        ("margin", {"margin": 0}, "greater than 0"),
        ("cosent", {"temperature": -1}, "greater than 0"),
        ("margin-mse", {"scale": float("nan")}, "finite"),
        ("score-kl", {"teacher_temperature": 0}, "greater than 0"),
        ("embedding-mse", {"target": "mine"}, "no target 'mine'"),
        ("siglip", {"hardness": 1.0}, "hardness has no meaning"),
        ("classic", {"bias": 1.0}, "bias has no meaning"),
        ("classic", {"guided": True}, "nothing to judge"),
        ("classic", {"normalisation": "softmx"}, "Did you mean 'softmax'"),
    ],
)
def test_parameters_that_cannot_be(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        loss_spec(name, **changes)
