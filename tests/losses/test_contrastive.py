"""The contrastive loss against a reference made of loops, and the laws that hold for every spec."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cosmith.errors import InputError
from cosmith.losses import BLOCKS, PRESETS, ContrastiveSpec, StepStructure, contrastive, preset

QUICK = settings(max_examples=60, deadline=None)


def unit(count: int, width: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    noise = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(noise, dim=1).to(dtype)


def naive(embeddings: Tensor, structure: StepStructure, spec: ContrastiveSpec) -> Tensor:
    """The loss as its documentation says it, one candidate at a time."""
    query, text = structure.query.tolist(), structure.text.tolist()
    rows, texts = range(len(query)), range(len(text))
    positives: list[set[int]] = [set() for _ in rows]
    given_negatives: list[set[int]] = [set() for _ in rows]
    for row, document in zip(structure.positive_row.tolist(), structure.positives.tolist(), strict=True):
        positives[row].add(document)
    for row, document in zip(structure.negative_row.tolist(), structure.negatives.tolist(), strict=True):
        given_negatives[row].add(document)
    negatives = [given_negatives[row] - positives[row] for row in rows]
    known = set(zip(structure.known_query.tolist(), structure.known_document.tolist(), strict=True))
    known |= {(query[row], document) for row in rows for document in positives[row]}
    label = [-1] * len(query) if structure.label is None else structure.label.tolist()
    group = [-1] * len(text) if structure.document_group is None else structure.document_group.tolist()

    def block_of(row: int, document: int, blocks: frozenset[str]) -> str | None:
        holds = {
            "own_negatives": document in negatives[row],
            "other_positives": any(document in positives[other] for other in rows if other != row),
            "other_negatives": any(document in negatives[other] for other in rows if other != row),
        }
        return next((name for name, held in holds.items() if held and name in blocks), None)

    def candidates(row: int, p: int, blocks: frozenset[str]) -> list[tuple[str, int, int]]:
        """(block, anchor, candidate); the block "kept" for a row's other positive."""
        q, found = query[row], []
        for c in set(texts) - {q, p}:
            if c in positives[row]:
                if spec.other_own_positives and "other_positives" in blocks:
                    found.append(("kept", q, c))
            else:
                block = block_of(row, c, blocks)
                if block:
                    found.append((block, q, c))
                brought = [positives[r] | (negatives[r] if spec.documents_with_negatives else set()) for r in rows]
                if "documents" in blocks and any(c in brought[other] for other in rows if other != row):
                    found.append(("documents", p, c))
            if c in query:
                found += [("queries", q, c)] if "queries" in blocks else []
                found += [("positive_to_queries", p, c)] if "positive_to_queries" in blocks else []
        return found

    def masked(row: int, p: int, block: str, c: int, score: float, positive: float) -> bool:
        q, is_query = query[row], block in ("queries", "positive_to_queries")
        rows_with = [r for r in rows if (query[r] == c if is_query else c in positives[r])]
        return bool(
            (spec.same_text and text[c] in (text[p], text[q]))
            or (spec.known_positives and ((c, p) if is_query else (q, c)) in known)
            or (spec.same_document and group[c] >= 0 and group[c] == group[p])
            or (spec.same_label and label[row] >= 0 and any(label[r] == label[row] for r in rows_with))
            or (block in spec.masked_blocks and spec.margin is not None and score > positive + spec.margin)
            or (block in spec.masked_blocks and spec.ratio is not None
                and score > positive - abs(positive) * (1 - spec.ratio))
        )  # fmt: skip

    total = embeddings.new_zeros(())
    judge = embeddings.detach() if structure.teacher is None or not spec.guided else structure.teacher
    for row in rows:
        for p in positives[row]:
            positive = embeddings[query[row]] @ embeddings[p]
            judged_positive = (judge[query[row]] @ judge[p]).item()
            for blocks in spec.denominators:
                logits, tau = [], spec.temperature
                for block, anchor, c in candidates(row, p, blocks):
                    judged = (judge[anchor] @ judge[c]).item()
                    if block != "kept" and masked(row, p, block, c, judged, judged_positive):
                        continue
                    score = embeddings[anchor] @ embeddings[c]
                    extra = spec.hardness * score.detach() if block in spec.hardened_blocks else 0.0
                    logits.append(score / tau + extra)
                if spec.normalisation == "softmax":
                    terms = spec.positive_terms * torch.exp(positive / tau) + sum(map(torch.exp, logits))
                    loss = torch.log(terms) - positive / tau
                    if spec.focal:  # (1 - p)^γ has no derivative at a loss of 0, which has no gradient either
                        loss = (1 - torch.exp(-loss)) ** spec.focal * loss if loss > 1e-12 else 0 * loss
                else:
                    loss = -torch.nn.functional.logsigmoid(positive / tau + spec.bias)
                    loss = loss - sum(torch.nn.functional.logsigmoid(-logit - spec.bias) for logit in logits)
                total = total + loss / (len(rows) * len(positives[row]) * len(spec.denominators))
    return total


def of_rows(rows: list[tuple[int, list[int], list[int]]], text: list[int], **more: Any) -> StepStructure:
    """A structure of (query, positives, negatives); its teacher is some other model than the one under test."""
    return StepStructure.of(
        teacher=unit(len(text), 3, seed=100),
        query=[query for query, _, _ in rows],
        positives=[document for _, documents, _ in rows for document in documents],
        positive_row=[row for row, (_, documents, _) in enumerate(rows) for _ in documents],
        negatives=[document for _, _, documents in rows for document in documents],
        negative_row=[row for row, (_, _, documents) in enumerate(rows) for _ in documents],
        text=text,
        **more,
    )


@st.composite
def structures(draw: st.DrawFn) -> StepStructure:
    """Ragged rows over few texts, so that everything repeats: queries, documents, both in one role or two."""
    size = draw(st.integers(2, 9))
    texts = st.integers(0, size - 1)
    row = st.tuples(texts, st.lists(texts, min_size=1, max_size=3), st.lists(texts, max_size=3))
    rows = draw(st.lists(row, min_size=1, max_size=5))
    known = draw(st.lists(st.tuples(texts, texts), max_size=4))
    numbers = st.integers(-1, 2)
    return of_rows(
        rows,
        draw(st.just(list(range(size))) | st.lists(st.integers(-2, 3), min_size=size, max_size=size)),
        known_query=[query for query, _ in known],
        known_document=[document for _, document in known],
        label=draw(st.none() | st.lists(numbers, min_size=len(rows), max_size=len(rows))),
        document_group=draw(st.none() | st.lists(numbers, min_size=size, max_size=size)),
    )


@st.composite
def specs(draw: st.DrawFn) -> ContrastiveSpec:
    blocks = st.frozensets(st.sampled_from(sorted(BLOCKS)), min_size=1)
    denominators = tuple(draw(st.lists(blocks, min_size=1, max_size=2)))
    flags = ("same_text", "known_positives", "same_document", "same_label", "documents_with_negatives")
    margin = draw(st.sampled_from([None, -0.2, 0.1]))
    softmax: dict[str, Any] = {
        "hardness": draw(st.sampled_from([0.0, 5.0])),
        "positive_terms": draw(st.sampled_from([1, 2])),
        "focal": draw(st.sampled_from([0.0, 0.5, 2.0])),
    }
    hardened = draw(st.just(BLOCKS) | blocks)
    if softmax["hardness"] and not any(hardened & chosen for chosen in denominators):
        hardened |= denominators[0]
    sigmoid: dict[str, Any] = {"normalisation": "sigmoid", "bias": draw(st.sampled_from([0.0, -3.0]))}
    return ContrastiveSpec(
        denominators=denominators,
        temperature=draw(st.sampled_from([0.05, 0.2, 1.0])),
        margin=margin,
        guided=margin is not None and draw(st.booleans()),
        ratio=draw(st.sampled_from([None, 0.9])),
        masked_blocks=draw(st.just(BLOCKS) | blocks),
        hardened_blocks=hardened,
        other_own_positives=any("other_positives" in chosen for chosen in denominators) and draw(st.booleans()),
        **draw(st.sampled_from([softmax, sigmoid])),
        **{flag: draw(st.booleans()) for flag in flags},
    )


def value_and_gradient(
    embeddings: Tensor, *arguments: Any, loss: Any = contrastive, **more: Any
) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf, *arguments, **more)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def assert_same(left: tuple[Tensor, ...], right: tuple[Tensor, ...], tolerance: float = 1e-9) -> None:
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@QUICK
@given(structures(), st.sampled_from(sorted(PRESETS)), st.integers(0, 99))
def test_every_preset_is_its_definition(structure: StepStructure, name: str, seed: int) -> None:
    embeddings = unit(structure.embeddings, 4, seed)
    expected = value_and_gradient(embeddings, structure, PRESETS[name], loss=naive)
    assert_same(value_and_gradient(embeddings, structure, PRESETS[name]), expected)


@settings(max_examples=300, deadline=None)
@given(structures(), specs(), st.integers(0, 99))
def test_every_spec_is_its_definition(structure: StepStructure, spec: ContrastiveSpec, seed: int) -> None:
    embeddings = unit(structure.embeddings, 3, seed)
    expected = value_and_gradient(embeddings, structure, spec, loss=naive)
    assert_same(value_and_gradient(embeddings, structure, spec), expected)


@QUICK
@given(structures(), specs(), st.integers(1, 60))
def test_the_tile_size_changes_nothing(structure: StepStructure, spec: ContrastiveSpec, tile_elements: int) -> None:
    embeddings = unit(structure.embeddings, 3)
    whole = value_and_gradient(embeddings, structure, spec)
    assert_same(value_and_gradient(embeddings, structure, spec, tile_elements=tile_elements), whole)


@QUICK
@given(structures(), specs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_texts_changes_nothing(
    structure: StepStructure, spec: ContrastiveSpec, random: Any
) -> None:
    embeddings = unit(structure.embeddings, 3)
    new_text = torch.tensor(random.sample(range(structure.embeddings), structure.embeddings))
    new_row = torch.tensor(random.sample(range(structure.rows), structure.rows))
    mixed_positives = torch.tensor(random.sample(range(len(structure.positives)), len(structure.positives)))

    def moved(values: Tensor | None, place: Tensor) -> Tensor | None:
        return None if values is None else torch.empty_like(values).index_put_((place,), values)

    other = StepStructure.of(
        query=moved(new_text[structure.query], new_row),
        positives=new_text[structure.positives][mixed_positives],
        positive_row=new_row[structure.positive_row][mixed_positives],
        negatives=new_text[structure.negatives],
        negative_row=new_row[structure.negative_row],
        text=moved(structure.text, new_text),
        known_query=new_text[structure.known_query],
        known_document=new_text[structure.known_document],
        label=moved(structure.label, new_row),
        document_group=moved(structure.document_group, new_text),
        teacher=None if structure.teacher is None else structure.teacher[torch.argsort(new_text)],
    )
    value, gradient = value_and_gradient(embeddings[torch.argsort(new_text)], other, spec)
    assert_same((value, gradient[new_text]), value_and_gradient(embeddings, structure, spec))


@QUICK
@given(structures(), specs(), st.data())
def test_the_shares_of_ranks_add_up(structure: StepStructure, spec: ContrastiveSpec, data: st.DataObject) -> None:
    embeddings = unit(structure.embeddings, 3)
    cut = data.draw(st.integers(0, structure.rows))
    first = value_and_gradient(embeddings, structure, spec, rows=slice(0, cut))
    second = value_and_gradient(embeddings, structure, spec, rows=slice(cut, None))
    whole = value_and_gradient(embeddings, structure, spec)
    assert_same((first[0] + second[0], first[1] + second[1]), whole)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_gradcheck(name: str) -> None:
    rows = [(0, [4, 5], [6, 7]), (1, [6], [8]), (2, [5], []), (3, [9], [4])]
    structure = of_rows(rows, list(range(10)))
    # A temperature of 0.01 makes finite differences useless, not the gradient.
    spec = preset(name, temperature=0.5)
    embeddings = unit(10, 5, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda values: contrastive(values, structure, spec), [embeddings])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_in_float32_at_the_sharpest_published_temperature(name: str) -> None:
    rows = [(i, [50 + i], [100 + i, 100 + (i + 1) % 50]) for i in range(50)]
    structure = of_rows(rows, list(range(150)))
    # A margin would leave out what is interesting here: negatives far above the positive, up to e^200.
    spec = preset(name, temperature=0.01, margin=None, guided=False)
    embeddings = unit(150, 3)
    exact = value_and_gradient(embeddings, structure, spec)
    single = value_and_gradient(embeddings.float(), structure, spec)
    assert single[0].dtype == single[1].dtype == torch.float32
    assert_same((single[0].double(), single[1].double()), exact, tolerance=2e-5)


def test_a_small_loss_keeps_its_digits_in_float32() -> None:
    """Below 6e-8, 1 + x is 1 in float32; the loss and its gradient are not 0 for that."""
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    structure = of_rows([(0, [1], [2])], [0, 1, 2])
    value, gradient = value_and_gradient(embeddings, structure, preset("own-negatives", temperature=0.05))
    small = torch.tensor(-20.0).exp()  # 2e-9
    torch.testing.assert_close(value, small, atol=0.0, rtol=1e-4)
    torch.testing.assert_close(gradient[1, 0], -20 * small, atol=0.0, rtol=1e-4)


def test_half_precision_embeddings_are_scored_in_float32() -> None:
    structure = of_rows([(0, [2], [4]), (1, [3], [])], list(range(5)))
    rounded = unit(5, 8).bfloat16()
    value, gradient = value_and_gradient(rounded, structure, PRESETS["classic"])
    assert value.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    assert value == contrastive(rounded.float(), structure, PRESETS["classic"])


def test_autocast_does_not_touch_it() -> None:
    structure = of_rows([(0, [2], [4]), (1, [3], [])], list(range(5)))
    embeddings = unit(5, 8, dtype=torch.float32)
    plain = value_and_gradient(embeddings, structure, PRESETS["gte"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = value_and_gradient(embeddings, structure, PRESETS["gte"])
    assert torch.equal(plain[0], inside[0])
    assert torch.equal(plain[1], inside[1])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_no_candidate_at_all_is_no_loss(name: str) -> None:
    value, gradient = value_and_gradient(unit(2, 3), of_rows([(0, [1], [])], [0, 1]), PRESETS[name])
    spec = PRESETS[name]
    if spec.normalisation == "sigmoid":  # the pair's own score is a decision by itself
        score = (unit(2, 3)[0] @ unit(2, 3)[1]) / spec.temperature + spec.bias
        assert_same((value,), (-torch.nn.functional.logsigmoid(score),))
    else:
        constant = torch.tensor(float(spec.positive_terms), dtype=torch.float64).log()
        assert_same((value, gradient), (constant, torch.zeros_like(gradient)))


def test_everything_masked_is_no_loss() -> None:
    # The negatives score far above the positive, so that the margin takes all of them out.
    embeddings = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.8, 0.6]], dtype=torch.float64)
    structure = of_rows([(0, [1], [2, 3])], [0, 1, 2, 3])
    value, gradient = value_and_gradient(embeddings, structure, preset("default", temperature=0.01))
    assert value == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("spec", [PRESETS["classic"], PRESETS["default"], preset("gemini", margin=0.1)])
@pytest.mark.parametrize("place", range(5))
def test_a_broken_embedding_is_not_hidden(place: int, spec: ContrastiveSpec) -> None:
    embeddings = unit(5, 3)
    embeddings[place, 0] = torch.nan
    value, _ = value_and_gradient(embeddings, of_rows([(0, [1], [2]), (3, [4], [])], [0, 1, 2, 3, 4]), spec)
    assert torch.isnan(value)


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, operation: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        result = operation(*arguments, **(named or {}))
        if isinstance(result, Tensor):
            self.largest = max(self.largest, result.numel())
        return result


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_no_tensor_outgrows_the_tile(name: str) -> None:
    """Few texts in many roles: 6,000 pairs, 120 to 420 candidates and 30 negatives of its own each."""
    pool = [[(i + 7 * j) % 60 for j in range(30)] for i in range(300)]
    rows = [(i, [300 + n for n in pool[i][:20]], [360 + n for n in pool[i]]) for i in range(300)]
    structure, embeddings = of_rows(rows, list(range(420))), unit(420, 8).requires_grad_()
    with _Largest() as watch:
        contrastive(embeddings, structure, PRESETS[name], tile_elements=20_000).backward()
    assert watch.largest <= 20_000


def test_without_gradient_there_is_none() -> None:
    structure = of_rows([(0, [1], [2])], [0, 1, 2])
    embeddings = unit(3, 3).requires_grad_()
    with torch.no_grad():
        assert not contrastive(embeddings, structure, PRESETS["default"]).requires_grad
    assert not contrastive(embeddings.detach(), structure, PRESETS["default"]).requires_grad


def test_backward_may_be_repeated_and_scaled() -> None:
    structure, embeddings = of_rows([(0, [1], [2])], [0, 1, 2]), unit(3, 3).requires_grad_()
    loss = contrastive(embeddings, structure, PRESETS["classic"])
    (once,) = torch.autograd.grad(loss, embeddings, retain_graph=True)
    (scaled,) = torch.autograd.grad(3 * loss, embeddings)
    torch.testing.assert_close(scaled, 3 * once)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": torch.zeros(2, 3)}, "2 embeddings for a structure of 3"),
        ({"embeddings": torch.zeros(3)}, "shape"),
        ({"embeddings": torch.zeros(3, 3, dtype=torch.int64)}, "floating-point"),
        ({"rows": slice(0, 1, 2)}, "contiguous"),
        ({"tile_elements": 0}, "1 or more"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    arguments = {
        "embeddings": unit(3, 3), "structure": of_rows([(0, [1], [2])], [0, 1, 2]), "spec": PRESETS["classic"],
        **change,
    }  # fmt: skip
    with pytest.raises(InputError, match=message):
        contrastive(**arguments)


def test_a_changed_field_changes_the_loss() -> None:
    """Guards the reference test: were a field read by neither side, both would agree."""
    rows = [(0, [3, 4], [5, 6]), (1, [4], [7]), (2, [8], [3])]
    structure = of_rows(
        rows, [0, 1, 2, 3, 4, 5, 3, 7, 8], known_query=[0], known_document=[7], label=[0, 1, 0],
        document_group=[-1, -1, -1, 0, 1, 0, 2, 1, 1],
    )  # fmt: skip
    spec = preset("gte", temperature=0.5)
    before = contrastive(unit(9, 3), structure, spec)
    changes: dict[str, Any] = {
        "temperature": 0.4, "same_text": True, "known_positives": True, "same_document": True, "same_label": True,
        "margin": 0.0, "ratio": 0.9, "other_own_positives": True, "documents_with_negatives": False, "hardness": 1.0,
        "positive_terms": 1, "denominators": (frozenset({"queries"}),), "focal": 1.0,
    }  # fmt: skip
    for field, value in changes.items():
        assert contrastive(unit(9, 3), structure, dataclasses.replace(spec, **{field: value})) != before, field
    margin = dataclasses.replace(spec, margin=0.0)
    guided = dataclasses.replace(margin, guided=True)
    hardened = [
        contrastive(unit(9, 3), structure, dataclasses.replace(spec, hardness=1.0, hardened_blocks=frozenset({block})))
        for block in sorted(BLOCKS)
    ]
    assert len({before.item(), *(value.item() for value in hardened)}) == 1 + len(BLOCKS)
    assert contrastive(unit(9, 3), structure, margin) != contrastive(unit(9, 3), structure, guided)
    sigmoid = preset("siglip", temperature=0.5)
    biased = dataclasses.replace(sigmoid, bias=1.0)
    assert contrastive(unit(9, 3), structure, sigmoid) != contrastive(unit(9, 3), structure, biased)
