"""What the scores of negatives say: of those that the rows bring, and of those that the loss leaves out."""

from __future__ import annotations

from cosmith.phrases import share
from cosmith.training.health.history import History
from cosmith.training.health.verdict import Advice

_MANY = 0.25  # share of texts above the positive; of a model that tells nothing apart it is a half


def untrained(history: History) -> Advice | None:
    """Many of the rows' own negatives score above the positive, but so do answers that have nothing to do with the
    query: that says something of the model, and nothing of the negatives."""
    above, others = _above(history)
    if above is None or above < _MANY or others is None or others < _MANY:
        return None
    return Advice(
        "untrained",
        f"The model {'still does not' if history.is_unbounded else 'does not yet'} tell answers from other texts: "
        f"{share(above)} of the rows' own negatives score above the positive, and {share(others)} of the answers of "
        "other rows.",
        _when_above(history),
        "So scores say nothing of the negatives yet. A model from random weights learns from the answers of other rows "
        "first, and can mine hard negatives then; of a pre-trained one, look at pooling and prompts.",
    )


def negatives_above(history: History) -> Advice | None:
    """Many of the rows' own negatives score above the positive, of a model that tells positives from other texts:
    from the start, or where scores are those of a model that may be new, still at the end."""
    above, others = _above(history)
    if above is None or above < _MANY or (others is not None and others >= _MANY):
        return None
    known = f", but only {share(others)} of the answers of other rows" if others is not None else ""
    doubt = "" if others is not None else ", or the model does not tell them yet"
    return Advice(
        "negatives_above",
        f"{share(above)} of the rows' own negatives score above the positive{known}: many may be answers "
        f"themselves{doubt}.",
        _when_above(history),
        "If they were mined, raise the threshold: set a ratio or a margin where there is none, else a lower ratio "
        "(0.9, 0.8) or a larger margin, which leaves out what scores too near; then, or if they came with the rows, "
        "read some of them.",
    )


def _above(history: History) -> tuple[float | None, float | None]:
    """The share of the rows' own negatives that score above the positive, and that of other rows' answers."""
    looks = _looks_above(history)
    return history.mean("scores/own_above", looks), history.mean("scores/others_above", looks)


def _looks_above(history: History) -> slice:
    return slice(-3, None) if history.is_unbounded else slice(3)


def _when_above(history: History) -> str:
    first = history.series("scores/own_above")[0][_looks_above(history)][0]
    return f"Mean over the {'last' if history.is_unbounded else 'first'} looks, step {first:,} on."


def false_negatives(history: History) -> Advice | None:
    """The loss leaves out a large share of all candidates as likely answers."""
    masked = history.mean("scores/masked", slice(3))
    if masked is None or masked < 0.3:
        return None
    return Advice(
        "false_negatives",
        f"{share(masked)} of all candidates are left out as likely answers of another row's query.",
        f"Mean over the first looks; {history.mean('scores/candidates', slice(3)) or 0:.0f} candidates remain a pair.",
        "The rows are very alike: join rows with the same answer, give labels or known positives, or raise the "
        "margin (or ratio) of the loss.",
    )
