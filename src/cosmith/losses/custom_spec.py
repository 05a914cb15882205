"""A loss of the user's own as data: a function, and by what it is known again when a run goes on.

This module needs no torch, so that recipes can be checked without it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, get_args

from cosmith.errors import InputError, nearest
from cosmith.losses.spec import Need

if TYPE_CHECKING:
    from torch import Tensor

    from cosmith.losses.structure import StepStructure

    LossFunction = Callable[[Tensor, StepStructure], Tensor]
else:
    LossFunction = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class CustomSpec:
    """A loss of the user's own; :func:`cosmith.losses.custom` calls it.

    Attributes:
        function: The embeddings [U, D], unit rows in float32 (float64 stays), and the step → a scalar tensor. It sees
            all rows of the step, whatever the number of ranks, and is called once for each of ``dims`` and
            ``quantise``. It must give the same for the same step: what it draws at random would differ by rank.
        needs: What the rows must have for it (``positives``, ``negatives``, ``scores``, ``labels``, ``teacher``); rows
            that lack it are refused before the first step.

    Raises:
        InputError: When ``function`` cannot be called, or ``needs`` names what there is not.
    """

    function: LossFunction
    needs: frozenset[Need] = frozenset()

    def __post_init__(self) -> None:
        if not callable(self.function) or inspect.isclass(self.function):
            raise InputError(
                f"there is no loss {self.function!r}",
                field="loss",
                remedy="Give a function of the embeddings [U, D] and a StepStructure.",
            )
        needs: frozenset[Need] = frozenset([self.needs] if isinstance(self.needs, str) else self.needs)
        for need in needs:
            if need not in get_args(Need):
                raise InputError(f"there is no need {need!r}", field="needs", remedy=nearest(str(need), get_args(Need)))
        object.__setattr__(self, "needs", needs)

    @property
    def name(self) -> str:
        """The module and the name of the function, or of the class whose instance it is."""
        return _name(_parts(self.function)[0])

    def identity(self) -> Mapping[str, Any]:
        """By what the loss is known again, as JSON values.

        That is the name of the function, a hash of its source text (comments and line breaks do not count) and what
        :func:`functools.partial` or the fields of a dataclass bind to it. The functions that it calls and the variables
        of its module are not looked at.
        """
        definition, bound = _parts(self.function)
        return {
            "kind": type(self).__name__,
            "function": self.name,
            "text": _text_hash(definition),
            "bound": bound,
            "needs": sorted(self.needs),
        }

    def require_known(self) -> None:
        """Refuse a function whose identity does not tell it from another one.

        Raises:
            InputError: Saying why.
        """
        definition, bound = _parts(self.function)
        if bound is None:
            problem = "it holds more than plain values (numbers, texts, lists of them)"
        elif _at_its_name(definition) is not definition:
            problem = "it does not stand under its name at the top of a file"
        elif _text_hash(definition) is None:
            problem = "its source text cannot be read"
        else:
            return
        raise InputError(
            f"the loss {self.name!r} could not be known again when the run goes on: {problem}",
            field="loss",
            remedy="Take a function at the top of a file, its parameters bound by functools.partial, or an instance of "
            "a dataclass there with __call__; or train without a folder.",
        )


def _parts(function: Any) -> tuple[Any, Any]:
    """What stands in a file, a function or a class, and what is bound to it as JSON values; None: more than those."""
    if isinstance(function, partial):
        definition, inner = _parts(function.func)
        return definition, None if inner is None else _plain([inner, function.args, function.keywords])
    if inspect.isfunction(function):
        return function, []
    if dataclasses.is_dataclass(function):
        values = {field.name: getattr(function, field.name) for field in dataclasses.fields(function)}
        return type(function), _plain(values)
    return (function.__func__ if inspect.ismethod(function) else type(function)), None


def _plain(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None


def _name(definition: Any) -> str:
    return f"{definition.__module__}.{definition.__qualname__}"


def _at_its_name(definition: Any) -> Any:
    """What stands in the module under the name that the definition says it has; None: nothing."""
    found: Any = sys.modules.get(definition.__module__)
    for name in definition.__qualname__.split("."):
        found = getattr(found, name, None)
    return found


def _text_hash(definition: Any) -> str | None:
    """A hash of the source text as Python understands it; None where there is none to read."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(definition)))
    except (OSError, TypeError, SyntaxError):
        return None
    return sha256(ast.unparse(tree).encode()).hexdigest()[:16]
