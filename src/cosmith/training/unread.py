"""Settings of a training that count only beside another one, for recipes and Python alike.

Said without it they would change nothing, and nobody would know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cosmith.errors import InputError


@dataclass(frozen=True)
class _Condition:
    """Some settings, the one that they count beside, which of its values lets them, and what else to say of it."""

    settings: tuple[str, ...]
    beside: str
    lets: Callable[[Any], bool]
    problem: str
    remedy: str


_CONDITIONS = (
    _Condition(("decay",), "schedule", lambda value: value == "wsd", "only the schedule wsd has a decay",
               "Set schedule to wsd, or leave decay out."),
    _Condition(("adapter_rank", "adapter_alpha", "adapter_dropout", "adapter_targets", "merge_adapter"), "adapter",
               lambda value: value is not None, "there is no adapter", "Set adapter to lora or dora, or leave {} out."),
    _Condition(("alpha",), "mixing", lambda value: value != "round_robin", "sources that take turns have no alpha",
               "Set mixing to proportional or curriculum, or leave alpha out."),
    _Condition(("general", "patience", "evaluate_every", "interpolate", "keep_best"), "dev", bool,
               "without dev nothing is evaluated on the way", "Name a development set in dev, or leave {} out."),
)  # fmt: skip

# Said of these, false is what happens without a development set anyway.
_MAY_BE_DECLINED = {"interpolate", "keep_best"}


def require_read(settings: object, default_of: Callable[[str], Any]) -> None:
    """Refuse a setting that another one keeps from being read.

    Whether it was said does not count, since a run's own recipe says the defaults, too: only another value is refused.

    Args:
        settings: Has settings as attributes. Conditions whose settings it has not are passed over.
        default_of: The name of a setting → its default.

    Raises:
        InputError: It would change nothing; ``field`` is its name.
    """
    for condition in _CONDITIONS:
        if not hasattr(settings, condition.beside) or condition.lets(getattr(settings, condition.beside)):
            continue
        for name in condition.settings:
            if not hasattr(settings, name):
                continue
            value = getattr(settings, name)
            if value != default_of(name) and not (value is False and name in _MAY_BE_DECLINED):
                raise InputError(
                    f"{condition.problem}, so {name} would change nothing",
                    field=name,
                    remedy=condition.remedy.format(name),
                )
