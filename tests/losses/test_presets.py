"""The published losses: each against its paper's formula, worked out on whole matrices, and against numbers by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log

import pytest
import torch
from torch import Tensor

from cosmith.errors import InputError
from cosmith.losses import PRESETS, StepStructure, contrastive, preset

ROWS, NEGATIVES, TAU = 6, 2, 0.1


def unit(count: int, seed: int) -> Tensor:
    noise = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(noise, dim=1)


GUIDE = unit(ROWS * (2 + NEGATIVES), 77)


def triples() -> StepStructure:
    """Rows of a query, a positive and two negatives; no text repeats. [queries; positives; negatives of row 0, …]."""
    rows = list(range(ROWS))
    return StepStructure.of(
        query=rows,
        positives=[ROWS + row for row in rows],
        positive_row=rows,
        negatives=list(range(2 * ROWS, (2 + NEGATIVES) * ROWS)),
        negative_row=[row for row in rows for _ in range(NEGATIVES)],
        text=list(range((2 + NEGATIVES) * ROWS)),
        teacher=GUIDE,
    )


# The papers' formulas. Q, P: [R, D]; N: [R, K, D]; `off` is minus infinity on the diagonal (the sums over j ≠ i).

Formula = Callable[[Tensor, Tensor, Tensor], Tensor]
off = torch.zeros(ROWS, ROWS).fill_diagonal_(-inf)


def own_columns(N: Tensor) -> Tensor:
    """[R, R·K] minus infinity at the row's own negatives."""
    return off.repeat_interleave(N.shape[1], dim=1)


def softmax_loss(Q: Tensor, P: Tensor, *others: Tensor, copies: int = 1) -> Tensor:
    positive = (Q * P).sum(1, keepdim=True) / TAU
    return (torch.cat([positive] * copies + [other / TAU for other in others], 1).logsumexp(1) - positive[:, 0]).mean()


def own(Q: Tensor, N: Tensor) -> Tensor:
    return torch.einsum("id,ikd->ik", Q, N)


def classic(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    documents = torch.cat([P, N.flatten(0, 1)])
    return torch.nn.functional.cross_entropy(Q @ documents.T / TAU, torch.arange(ROWS))


def masked(score: Tensor, positive: Tensor) -> Tensor:
    return score.masked_fill(score > positive + 0.1, -inf)


def default(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    positive = (Q * P).sum(1, keepdim=True)
    others = torch.cat([Q @ P.T + off, Q @ N.flatten(0, 1).T], 1)
    return softmax_loss(Q, P, masked(others, positive))


def qwen3(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    """Z_i of arXiv:2506.05176; the mask is of scores with the query, so that d-d has none."""
    positive, everyone = (Q * P).sum(1, keepdim=True), N.flatten(0, 1)
    documents = torch.cat([Q @ P.T + off, Q @ everyone.T + own_columns(N)], 1)
    document_document = torch.cat([P @ P.T + off, P @ everyone.T + own_columns(N)], 1)
    scores = (own(Q, N), Q @ Q.T + off, documents)
    return softmax_loss(Q, P, document_document, *(masked(score, positive) for score in scores))


def gte(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    """arXiv:2308.03281: sums over all j in q-d and d-q (each has the pair itself), over j ≠ i in q-q and d-d."""
    everyone = N.flatten(0, 1)
    document_document = torch.cat([P @ P.T + off, P @ everyone.T + own_columns(N)], 1)
    both = [Q @ torch.cat([P, everyone]).T, P @ Q.T, Q @ Q.T + off, document_document]
    return softmax_loss(Q, P, *both, copies=0)


def gecko(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    return softmax_loss(Q, P, Q @ P.T, Q @ Q.T + off, own(Q, N), copies=0)


def gemini(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    return softmax_loss(Q, P, Q @ P.T, own(Q, N), copies=0)


def own_negatives(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    return softmax_loss(Q, P, own(Q, N))


def clip(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    """The pseudo-code of arXiv:2103.00020, Fig. 3, with hard negatives among the "images"."""
    back = torch.nn.functional.cross_entropy(P @ Q.T / TAU, torch.arange(ROWS))
    return (classic(Q, P, N) + back) / 2


def siglip(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    """arXiv:2303.15343, with the hard negatives among the "texts"."""
    z = 2 * torch.eye(ROWS, ROWS * (1 + NEGATIVES)) - 1
    logit = Q @ torch.cat([P, N.flatten(0, 1)]).T / TAU - 10
    return -torch.nn.functional.logsigmoid(z * logit).sum(1).mean()


def gist(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    """arXiv:2402.16829: what the guide likes better than the pair is no negative."""

    def scores(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
        return torch.cat([Q @ P.T + off, Q @ Q.T + off, P @ P.T + off, Q @ N.T], 1)

    g, h, n = GUIDE.split([ROWS, ROWS, NEGATIVES * ROWS])
    better = scores(g, h, n) > (g * h).sum(1, keepdim=True)
    assert better.any(0).sum() > ROWS
    return softmax_loss(Q, P, scores(Q, P, N.flatten(0, 1)).masked_fill(better, -inf))


def simcse(Q: Tensor, P: Tensor, N: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(Q @ P.T / TAU, torch.arange(ROWS))


FORMULAS: dict[str, Formula] = {
    "default": default, "classic": classic, "qwen3-embedding": qwen3, "gte": gte, "gecko": gecko, "gemini": gemini,
    "own-negatives": own_negatives, "clip-symmetric": clip, "supcon": classic,
    "siglip": siglip, "gist": gist, "simcse": simcse, "simcse-supervised": classic,
}  # fmt: skip


def test_no_preset_is_without_formula() -> None:
    assert set(FORMULAS) == set(PRESETS)
    assert all(spec.source for spec in PRESETS.values())


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_formula_of_its_paper(name: str, seed: int) -> None:
    ours = unit(ROWS * (2 + NEGATIVES), seed).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    value = contrastive(ours, triples(), preset(name, temperature=TAU))
    Q, P, N = theirs.split([ROWS, ROWS, NEGATIVES * ROWS])
    expected = FORMULAS[name](Q, P, N.view(ROWS, NEGATIVES, -1))
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_supcon_is_equation_two_of_its_paper() -> None:
    """Every text an anchor, its positives the others of its class, all other texts in the denominator."""
    labels = [0, 0, 0, 1, 1, 2, 2]
    everyone = range(len(labels))
    same = {i: [p for p in everyone if p != i and labels[p] == labels[i]] for i in everyone}
    structure = StepStructure.of(
        query=list(everyone),
        positives=[p for i in everyone for p in same[i]],
        positive_row=[i for i in everyone for _ in same[i]],
        text=list(everyone),
        label=labels,
    )
    z = unit(len(labels), 0)
    total = 0.0
    for i in everyone:
        denominator = sum(exp(z[i] @ z[a] / TAU) for a in everyone if a != i)
        total -= sum(log(exp(z[i] @ z[p] / TAU) / denominator) for p in same[i]) / len(same[i])
    assert contrastive(z, structure, preset("supcon", temperature=TAU)).item() == pytest.approx(total / len(labels))


# Two rows in the plane: q1 = (1, 0), q2 = (0, 1), p1 = (.8, .6), p2 = (.6, .8), and n1 = (0, -1) a negative of row 1.
# Scores: q1·p1 = .8  q1·p2 = .6  q1·n1 = 0  q1·q2 = 0  p1·p2 = .96  p1·n1 = -.6
#         q2·p2 = .8  q2·p1 = .6  q2·n1 = -1            p2·n1 = -.8  p1·q2 = .6  p2·q1 = .6
# At a temperature of 0.2 the exponents are five times these:
#   e^4 = 54.5982, e^3 = 20.0855, e^0 = 1, e^4.8 = 121.5104, e^-3 = 0.0498, e^-4 = 0.0183, e^-5 = 0.0067.
PLANE = torch.tensor([[1, 0], [0, 1], [0.8, 0.6], [0.6, 0.8], [0, -1]], dtype=torch.float64)
TWO_ROWS = StepStructure.of(
    query=[0, 1], positives=[2, 3], positive_row=[0, 1], negatives=[4], negative_row=[0], text=[0, 1, 2, 3, 4],
    teacher=PLANE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        # log Z - 4 of both rows.
        # Z1 = e^4 + e^3 + e^0 = 75.6837, log = 4.32656; Z2 = e^4 + e^3 + e^-5 = 74.6904, log = 4.31335.
        ("classic", 0.32656, 0.31335),
        # The margin of 0.1 masks none of these: all are below 0.9.
        ("default", 0.32656, 0.31335),
        # Z1 = e^4 + e^0 (n1) + e^0 (q2) + e^4.8 (p1·p2) + e^3 (q1·p2) = 198.1941, log = 5.28925; row 2 brings no
        # document that row 1 lacks but p2. Z2 = e^4 + e^0 (q1) + e^4.8 + e^-4 (p2·n1) + e^3 + e^-5 = 197.2192,
        # log = 5.28432. The 0.96 of p1·p2 is above 0.9 and stays: documents against documents are not masked.
        ("qwen3-embedding", 1.28925, 1.28432),
        # As qwen3 with e^4 once more and e^3 (p1·q2): Z1 = 198.1941 + 54.5982 + 20.0855 = 272.8778, log = 5.60903;
        # Z2 = 197.2192 + 74.6837 = 271.9029, log = 5.60545.
        ("gte", 1.60903, 1.60545),
        # Z1 = e^4 + e^3 + e^0 (q2) + e^0 (n1) = 76.6837, log = 4.33969; Z2 = e^4 + e^3 + e^0 (q1) = 75.6837.
        ("gecko", 0.33969, 0.32656),
        # Z1 = e^4 + e^3 + e^0 = 75.6837; Z2 = e^4 + e^3 = 74.6837, log = 4.31326.
        ("gemini", 0.32656, 0.31326),
        # Z1 = e^4 + e^0 = 55.5982, log = 4.01815; row 2 has no negative, and no loss.
        ("own-negatives", 0.01815, 0.0),
        # Half of classic and half of log(e^4 + e^3) - 4 = 0.31326.
        ("clip-symmetric", 0.31991, 0.313305),
        ("supcon", 0.32656, 0.31335),
        # Logits are 5 s - 10. Row 1: log(1 + e^6) of the pair at -6, log(1 + e^-7) of p2, log(1 + e^-10) of n1:
        # 6.002476 + 0.000911 + 0.000045; row 2: the same pair and p1, and log(1 + e^-15) of n1.
        ("siglip", 6.003432, 6.003388),
        # The guide is the model itself: of all candidates only p1·p2 = 0.96 is above 0.8.
        # Z1 = e^4 + e^3 (p2) + e^0 (q2) + e^0 (n1) = 76.6837; Z2 = e^4 + e^3 + e^0 + e^-5 = 75.6904, log = 4.32665.
        ("gist", 0.33969, 0.32665),
        ("simcse", 0.31326, 0.31326),
        ("simcse-supervised", 0.32656, 0.31335),
    ],
)
def test_numbers_by_hand(name: str, first: float, second: float) -> None:
    spec = preset(name, temperature=0.2)
    # A share is divided by the number of all rows, here 2.
    assert 2 * contrastive(PLANE, TWO_ROWS, spec, rows=slice(0, 1)).item() == pytest.approx(first, abs=1.1e-5)
    assert 2 * contrastive(PLANE, TWO_ROWS, spec, rows=slice(1, 2)).item() == pytest.approx(second, abs=1.1e-5)
    assert contrastive(PLANE, TWO_ROWS, spec).item() == pytest.approx((first + second) / 2, abs=1.1e-5)


def test_a_gradient_by_hand() -> None:
    # own-negatives, row 1 alone, temperature 1/2: x = 2·0.8 = 1.6 for p1, 0 for n1. The softmax of n1 is
    # 1 / (1 + e^1.6) = 0.167982 =: s, and d loss / d score = ∓ 2 s = ∓ 0.335963 for p1 and n1.
    # d q1 = 0.335963 (n1 - p1) = (-0.268771, -0.537541), d p1 = -0.335963 q1, d n1 = 0.335963 q1.
    structure = StepStructure.of(
        query=[0], positives=[2], positive_row=[0], negatives=[4], negative_row=[0], text=range(5)
    )
    leaf = PLANE.clone().requires_grad_()
    contrastive(leaf, structure, preset("own-negatives", temperature=0.5)).backward()
    expected = [[-0.268771, -0.537541], [0, 0], [-0.335963, 0], [0, 0], [0.335963, 0]]
    torch.testing.assert_close(leaf.grad, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_several_positives_share_the_weight_of_their_row() -> None:
    # Row 1 has p1 (score .8) and p2 (.6) as positives, row 2 has p2. τ = 0.2, gemini: a row's other positive is left
    # out, and nothing else is there for row 1: loss 0. Row 2: log(e^4 + e^3) - 4 = 0.31326, half of the weight.
    structure = StepStructure.of(query=[0, 1], positives=[2, 3, 3], positive_row=[0, 0, 1], text=range(5))
    assert contrastive(PLANE, structure, preset("gemini", temperature=0.2)).item() == pytest.approx(0.15663, abs=1e-5)
    # SupCon keeps it: pairs of row 1 lose log(e^4 + e^3) - 4 = 0.31326 and log(e^3 + e^4) - 3 = 1.31326,
    # their mean 0.81326; with row 2's 0.31326 the mean is 0.56326.
    assert contrastive(PLANE, structure, preset("supcon", temperature=0.2)).item() == pytest.approx(0.56326, abs=1e-5)


def test_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'qwen3-embedding'"):
        preset("qwen3-embeding")
    with pytest.raises(InputError, match="Did you mean 'temperature'"):
        preset("classic", temprature=0.1)
    with pytest.raises(InputError, match="greater than 0"):
        preset("classic", temperature=0)
    assert preset("classic", temperature=1).temperature == 1
    assert PRESETS["classic"].temperature == 0.05
