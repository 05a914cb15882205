"""Which rows of which Sources the steps of a run take, and how many steps there are."""

from __future__ import annotations

from collections.abc import Sequence

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.phrases import counted
from cosmith.training.plan import Plan
from cosmith.training.settings import TrainingSettings


def plan_of(sources: Sequence[Source], settings: TrainingSettings) -> Plan:
    """The plan of a run over these Sources.

    Raises:
        InputError: When there is no Source, or two have one name.
    """
    if not sources:
        raise InputError("no Source to train on", field="sources", remedy="Give at least one.")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError(f"two Sources have one name: {', '.join(sorted(names))}", field="sources",
                         remedy="Give each its own.")  # fmt: skip
    # A batch larger than its Source would hold rows twice: a query would meet itself, and count for more than others.
    batch_sizes = [min(wanted_batch_size(source, settings), len(source)) for source in sources]
    return Plan(
        tuple(len(source) for source in sources),
        tuple(batch_sizes),
        settings.seed,
        settings.mixing,
        tuple(source.settings.weight for source in sources),
        settings.alpha,
    )


def steps_of(plan: Plan, settings: TrainingSettings) -> int:
    """How many steps the settings ask for.

    Raises:
        InputError: When a curriculum would end before the last Source has its turn.
    """
    steps = settings.steps or plan.steps(1.0 if settings.epochs is None else settings.epochs)
    if settings.mixing == "curriculum" and steps < plan.cycle_length:
        raise InputError(f"{counted(steps, 'step')} end before the last Source has its turn", field="mixing",
                         remedy=f"Take {plan.cycle_length:,} steps or more, or another mixing.")  # fmt: skip
    return steps


def wanted_batch_size(source: Source, settings: TrainingSettings) -> int:
    """Rows a step of a Source as they are asked for; a step takes fewer where the Source has not as many."""
    return source.settings.batch_size or settings.batch_size
