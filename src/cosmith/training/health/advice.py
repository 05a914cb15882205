"""Did it get worse, and why: what a run's own figures say, in plain words, each with its evidence and a remedy.

Every rule is a function from a run's history to an advice or None, and is proven by a run that provokes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cosmith.phrases import counted, share
from cosmith.training.health.history import TOO_FAST, History
from cosmith.training.health.negative_rules import false_negatives, negatives_above, untrained
from cosmith.training.health.prompt_use import listed, unread_prompts
from cosmith.training.health.verdict import Advice

_NOTICEABLE = 1e-3  # a smaller difference of two development scores is none
_HIGHEST = 1.0  # of the metrics
_USUAL_TEMPERATURE = 0.05  # of cosines, and below
_USUAL_OF_SUMS = 1.0  # of scores that are sums, such as dot products of sparse vectors
_ONE_WAY = 0.9  # a mean cosine above it: all embeddings point one way


def advise(history: History) -> list[Advice]:
    """Everything that the figures of a run say; empty where nothing speaks against it."""
    return [found for rule in RULES if (found := rule(history)) is not None]


def overfits(history: History) -> Advice | None:
    """The development score was best well before the end and has fallen since."""
    scores = history.evaluations
    if len(scores) < 4:
        return None
    best = max(range(len(scores)), key=lambda place: (scores[place].dev, -place))
    after = [each.dev for each in scores[best + 1 :]]
    gain = scores[best].dev - scores[0].dev
    fall = scores[best].dev - float(np.mean(after[-2:])) if len(after) > 1 else 0.0
    if best == 0 or fall < max(0.2 * gain, _NOTICEABLE) or _hardly_moves(history):
        return None
    return Advice(
        "overfits",
        f"Best at step {scores[best].step:,}, over-fits after.",
        f"The development score went from {scores[0].dev:.4f} to {scores[best].dev:.4f} and then to {after[-1]:.4f} "
        f"at step {scores[-1].step:,}.",
        f"{_weights_kept(history)} Fewer epochs, a lower learning rate, or more rows would end higher"
        f"{'' if history.setting('patience') else '; patience would have saved the time'}.",
    )


def never_better(history: History) -> Advice | None:
    """No evaluation beat the model that training began with, and the score has fallen."""
    scores = history.evaluations
    if len(scores) < 3 or max(each.dev for each in scores[1:]) > scores[0].dev:
        return None
    if scores[0].dev - scores[-1].dev < _NOTICEABLE or _hardly_moves(history):
        return None
    best = max(scores[1:], key=lambda each: each.dev)
    own = bool(history.series("scores/own_above")[0])
    return Advice(
        "never_better",
        "Training made it worse from the start: no evaluation beat the model that it began with.",
        f"{scores[0].dev:.4f} before; at best {best.dev:.4f} (step {best.step:,}), at the end {scores[-1].dev:.4f}.",
        "Look at some rows: does every positive answer its query, and are the development queries of the same kind? "
        f"Then try a tenth of the learning rate{', and the rows without their own negatives' if own else ''}.",
    )


def unmoved(history: History) -> Advice | None:
    """The development score is the same at every evaluation."""
    scores = [each.dev for each in history.evaluations]
    if len(scores) < 3 or max(scores) - min(scores) >= _NOTICEABLE:
        return None
    if scores[0] >= _HIGHEST - _NOTICEABLE:
        return Advice(
            "unmoved",
            "The development set cannot show more: its score is the highest possible from the start.",
            f"{scores[0]:.4f} before, {scores[-1]:.4f} at the end.",
            "Judge by harder queries, or by more documents among which the answers must be found.",
        )
    return Advice(
        "unmoved",
        "Nothing moved on the development set: training made it neither better nor worse.",
        f"{scores[0]:.4f} before, at most {max(scores[1:]):.4f}, at the end {scores[-1]:.4f}.",
        "The weights hardly moved either, see there."
        if _hardly_moves(history)
        else "Give it more queries, and see that they are of the kind that the rows are; a score that counts fewer "
        "things, or none near its answer, does not show what is learnt.",
    )


def forgets(history: History) -> Advice | None:
    """The general set falls while the domain is learnt."""
    general = [(each.step, each.general) for each in history.evaluations if each.general is not None]
    if len(general) < 3:
        return None
    best = max(history.evaluations, key=lambda each: each.dev)
    before, after = general[0][1], best.general
    if after is None or before - after < 0.01 or _hardly_moves(history):
        return None
    return Advice(
        "forgets",
        "What it knew in general falls while it learns the domain.",
        f"General set: {before:.4f} before, {after:.4f} at step {best.step:,}, where the development score is best "
        f"({best.dev:.4f}).",
        f"{_mixture(history)}, lower the learning rate, or mix in general rows as a second Source.",
    )


def repeats(history: History) -> Advice | None:
    """Most queries or positives of a step are there more than once."""
    found = {
        "queries": (
            history.mean("scores/repeated_queries") or 0.0,
            "gather the positives of a query in one row, and remove copies of rows",
        ),
        "positives": (
            history.mean("scores/repeated_positives") or 0.0,
            "gather the queries of an answer under a label, or take a loss for classes",
        ),
    }
    role, (repeated, remedy) = max(found.items(), key=lambda item: item[1][0])
    if repeated < 0.5:
        return None
    return Advice(
        "repeats",
        f"{share(repeated)} of the {role} of a step are repeats of others.",
        "Mean over all looks; each text is embedded once and never stands against itself.",
        f"So few different texts teach little: {remedy}.",
    )


def too_cold(history: History) -> Advice | None:
    """One candidate has nearly the whole gradient."""
    hardest, candidates = history.mean("scores/hardest_share"), history.mean("scores/candidates")
    if hardest is None or candidates is None or candidates < 4 or hardest < 0.9:
        return None
    return Advice(
        "too_cold",
        f"Temperature too low: {share(hardest)} of the gradient comes from one negative.",
        f"{history.mean('scores/effective_negatives') or 0:.1f} of {candidates:.0f} candidates take part"
        f"{_at_temperature(history)}.",
        f"Try two to five times the temperature; {_usual(history)}.",
    )


def too_warm(history: History) -> Advice | None:
    """All candidates have the same share, and the temperature is the reason."""
    temperature = history.facts.get("temperature")
    usual = _USUAL_OF_SUMS if history.is_unbounded else _USUAL_TEMPERATURE
    cold = _narrow(history) if temperature is None else temperature <= usual
    if cold or not _all_alike(history):
        return None
    return Advice(
        "too_warm",
        "Temperature too high: the loss hardly tells near candidates from far ones.",
        f"{_taking_part(history)}{_at_temperature(history)}.",
        f"Try a fifth of the temperature; {_usual(history)}.",
    )


def collapses(history: History) -> Advice | None:
    """All embeddings point one way, more so than at the start; or so much that the loss cannot tell them apart."""
    cosines, ranks = history.series("embeddings/mean_cosine")[1], history.series("embeddings/effective_rank")[1]
    if len(cosines) < 2 or not ranks:
        return None
    near = cosines[-1] > _ONE_WAY and cosines[-1] > cosines[0] + 0.05
    flat = ranks[-1] < 3 and ranks[-1] < 0.5 * ranks[0]
    figures = (
        f"The mean cosine of two vectors went from {cosines[0]:.2f} to {cosines[-1]:.2f}, the effective rank from "
        f"{ranks[0]:.0f} to {ranks[-1]:.0f}"
    )
    if near or flat:
        return Advice(
            "collapses",
            "The embeddings collapse: different texts get nearly the same vector.",
            f"{figures}.",
            "Lower the learning rate, and see that rows have negatives to be told from.",
        )
    if not (_narrow(history) and _all_alike(history)) or too_warm(history) is not None:
        return None
    return Advice(
        "collapses",
        "The embeddings lie so near each other that the loss hardly tells near candidates from far ones.",
        f"{figures}; {_taking_part(history)}{_at_temperature(history)}.",
        "It is so from the start, in the model that training begins with: look at its pooling and its prompts, and "
        "give it time to spread them (more rows, or a stage of simcse before).",
    )


def dead_layers(history: History) -> Advice | None:
    """A part of the model never gets a gradient."""
    norms = {name: history.series(f"gradient_norm/{name}")[1] for name in history.groups("gradient_norm")}
    dead = [name for name, values in norms.items() if len(values) > 1 and max(values) == 0]
    if not dead or len(dead) == len(norms):
        return None
    return Advice(
        "dead_layers",
        f"{', '.join(dead)} {'learns' if len(dead) == 1 else 'learn'} nothing: no gradient reaches it.",
        f"The norm of its gradient is 0 at all {counted(len(history.watched), 'look')}.",
        "Is it left out of the forward pass, or do its activations saturate? Freeze it if that is wanted.",
    )


def too_fast(history: History) -> Advice | None:
    """A step changes a part of the weights by more than a twentieth."""
    pace = history.fastest()
    if pace is None or pace.ratio < TOO_FAST:
        return None
    return Advice(
        "too_fast",
        f"Learning rate too high: one step changed the weights of {pace.layer} by {pace.amount}.",
        f"Step {pace.step:,}, at a rate of {pace.learning_rate:.2g}; a thousandth is usual for a pre-trained model.",
        f"Try {pace.sound_rate:.0e}, which would have changed them by a thousandth; to learn from nothing, ten times "
        "that.",
    )


def too_slow(history: History) -> Advice | None:
    """All steps together can hardly have moved the weights."""
    if not _hardly_moves(history) or collapses(history) is not None:
        return None
    return Advice(
        "too_slow",
        "Learning rate too low, or too few steps: the weights hardly move.",
        f"All {counted(len(history.steps), 'step')} together change no layer by more than {_moved(history):.1e} of its "
        "weights.",
        "Try ten times the learning rate or more steps.",
    )


def left_out(history: History) -> Advice | None:
    """Steps had no finite loss or gradient."""
    skipped = [entry["step"] for entry in history.steps if "skipped" in entry]
    if not skipped:
        return None
    return Advice(
        "left_out",
        f"{counted(len(skipped), 'step')} had no finite loss or gradient and was left out."
        if len(skipped) == 1
        else f"{counted(len(skipped), 'step')} had no finite loss or gradient and were left out.",
        f"The first is step {skipped[0]:,}; the pages in health/ say why.",
        "Follow what they say.",
    )


def without_prompt(history: History) -> Advice | None:
    """The model has prompts that are not used, or are used with a gap in them."""
    prompts = history.facts.get("prompts", {})
    sources = [source for source in history.facts.get("sources", []) if "prompts" in source]  # older runs lack them
    for source in sources:
        unread = unread_prompts(prompts, source)
        if unread:
            roles = {"query": "queries", "document": "documents"}
            kept: dict[str, str] = {each.role: each.name for each in unread}
            names = [kept.get(role, name) for role, name in zip(roles, source["prompts"], strict=True)]
            what = " and ".join(roles[each.role] for each in unread)
            named = [each for each in unread if each.name != each.role]
            rename = (
                f"; or, so that evaluation and search read them too, call {listed(each.name for each in named)} "
                f"{listed(each.role for each in named)} in the model's config_sentence_transformers.json (prompts)"
            )
            return Advice(
                "without_prompt",
                f"{what.capitalize()} are encoded without the model's prompt{'s' if len(unread) > 1 else ''} "
                f"{listed(each.name for each in unread)}.",
                " ".join(each.describe(source["name"], prompts) for each in unread),
                f"Set prompts of {source['name']} to [{', '.join(names)}]{rename if named else ''}.",
            )
    bare = [
        source["name"]
        for source in sources
        if not source["instruction"] and any("{task}" in prompts.get(name, "") for name in source["prompts"])
    ]
    if bare:
        return Advice(
            "without_prompt",
            f"The model's prompts ask for an instruction, and {', '.join(bare)} gives none.",
            f"Its prompt for queries is {prompts.get('query', '')!r}.",
            "Say in the Source what its queries ask for (instruction), and give the same when searching.",
        )
    return None


def _at_temperature(history: History) -> str:
    temperature = history.facts.get("temperature")
    return "" if temperature is None else f" at a temperature of {temperature:g}"


def _usual(history: History) -> str:
    return f"{_USUAL_OF_SUMS:g} is usual for such scores" if history.is_unbounded else "0.02 to 0.05 are usual"


def _all_alike(history: History) -> bool:
    """Whether all candidates have the same share in the gradient."""
    effective, candidates = history.mean("scores/effective_negatives"), history.mean("scores/candidates")
    return effective is not None and candidates is not None and candidates >= 8 and effective >= 0.95 * candidates


def _taking_part(history: History) -> str:
    effective, candidates = history.mean("scores/effective_negatives"), history.mean("scores/candidates")
    return f"{effective or 0:.0f} of {candidates or 0:.0f} candidates take part alike"


def _narrow(history: History) -> bool:
    """Whether all embeddings point one way."""
    return (history.mean("embeddings/mean_cosine") or 0.0) > _ONE_WAY


def _moved(history: History) -> float:
    """By which share all steps together can have changed a layer at most."""
    ratios = [history.mean(f"update_ratio/{name}") or 0.0 for name in history.groups("update_ratio")]
    return max(ratios, default=math.inf) * len(history.steps)


def _hardly_moves(history: History) -> bool:
    """Whether the weights are nearly those of the start: what scores do then is chance, and says nothing against the
    learning rate but that it is low."""
    return _moved(history) < 1e-3


def _weights_kept(history: History) -> str:
    kept = history.setting("keep_best")
    if kept is None:
        return "The best weights were kept if keep_best is on."
    return "The best weights were kept." if kept else "The last weights were kept: set keep_best to true for the best."


def _mixture(history: History) -> str:
    if history.setting("interpolate"):
        return (
            "Interpolation looks at the development score only: choose the mixture by a merge stage with a general set"
        )
    return "Merge the result with the model it began with (interpolate, or a merge stage with a general set)"


RULES: tuple[Callable[[History], Advice | None], ...] = (
    never_better, unmoved, overfits, forgets, without_prompt, untrained, negatives_above, false_negatives, repeats,
    too_cold, too_warm, collapses, dead_layers, too_fast, too_slow, left_out,
)  # fmt: skip
"""In the order in which a user wants to hear of them."""
