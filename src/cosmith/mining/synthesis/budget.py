"""What may be spent on answers, what they cost, and the gate that lets no request through that could cost too much."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from cosmith.errors import InputError
from cosmith.mining.synthesis.chat import ChatRequest, Completion

Limit = Literal["money", "tokens"]


@dataclass(frozen=True)
class Budget:
    """Prices, and the most that may be spent in a run; answers from the cache cost nothing.

    Attributes:
        input_price: Of a million tokens that are read, in any currency; 0 for a model of one's own.
        output_price: Of a million that are written, in the same.
        most_money: The most that may be spent; None for no limit.
        most_tokens: The most tokens, read and written; None for no limit.

    Raises:
        InputError: When a value is not possible, or money is limited and nothing costs any.
    """

    input_price: float = 0.0
    output_price: float = 0.0
    most_money: float | None = None
    most_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("input_price", "output_price"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"is {value}", field=name, remedy="Give the price of a million tokens.")
        for name in ("most_money", "most_tokens"):
            limit = getattr(self, name)
            if limit is not None and not (math.isfinite(limit) and limit > 0):
                raise InputError(f"is {limit}", field=name, remedy="Give a number above 0, or leave it out.")
        if self.most_money is not None and not (self.input_price or self.output_price):
            raise InputError(
                "money is limited, but no price is known",
                field="most_money",
                remedy="Give the prices of a million tokens (input_price, output_price), or limit most_tokens.",
            )

    def divided(self, parts: int) -> Budget | None:
        """One of so many equal parts of it; None where there is nothing in it to divide."""
        money = None if self.most_money is None else self.most_money / parts
        tokens = None if self.most_tokens is None else self.most_tokens // parts
        return None if tokens == 0 else replace(self, most_money=money, most_tokens=tokens)

    def money(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


@dataclass(frozen=True)
class Usage:
    """What a run has asked and what that took.

    Attributes:
        requests: Answers that the service gave.
        cached: Answers that were there already.
        input_tokens, output_tokens: Tokens of the answers that the service gave.
        estimated: How many of those answers came without a count of tokens, so that it was estimated.
        money: What they cost.
    """

    requests: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: int = 0
    money: float = 0.0


class BudgetSpentError(Exception):
    """What is left does not pay for another request.

    Attributes:
        limit: What of: money or tokens.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit)
        self.limit = limit


class Meter:
    """Counts what answers take, and holds requests back that the budget might not pay for.

    A request is let through when what was spent, the most that those under way can cost and the most that it can cost
    itself stay within the budget. While others are under way it waits: they mostly cost less than the most. What it
    reads is estimated, and the estimate raised by as much as one has fallen short of what was counted.

    Args:
        budget: What may be spent.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget, self.usage = budget, Usage()
        self._reserved_tokens, self._reserved_money = 0, 0.0
        self._under_way = 0
        self._shortfall = 1.0  # what was counted by what was estimated, at most
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def under_way(self, request: ChatRequest) -> AsyncIterator[None]:
        """The time in which a request is under way; its answer has to be told within it (:meth:`count`).

        Raises:
            BudgetSpentError: When nothing is under way and the budget does not pay for the request.
        """
        read = math.ceil(self._shortfall * request.estimated_tokens())
        tokens, money = read + request.max_tokens, self.budget.money(read, request.max_tokens)
        async with self._changed:
            while (limit := self._beyond(tokens, money)) is not None:
                if not self._under_way:
                    raise BudgetSpentError(limit)
                await self._changed.wait()
            self._under_way += 1
            self._reserved_tokens += tokens
            self._reserved_money += money
        try:
            yield
        finally:
            async with self._changed:
                self._under_way -= 1
                self._reserved_tokens -= tokens
                self._reserved_money = self._reserved_money - money if self._under_way else 0.0
                self._changed.notify_all()

    def count(self, request: ChatRequest, completion: Completion) -> None:
        """Take down what an answer took."""
        use = self.usage
        self._shortfall = max(self._shortfall, completion.input_tokens / request.estimated_tokens())
        if completion.cached:
            self.usage = Usage(
                use.requests, use.cached + 1, use.input_tokens, use.output_tokens, use.estimated, use.money
            )
            return
        read, written = use.input_tokens + completion.input_tokens, use.output_tokens + completion.output_tokens
        self.usage = Usage(
            requests=use.requests + 1,
            cached=use.cached,
            input_tokens=read,
            output_tokens=written,
            estimated=use.estimated + completion.estimated,
            money=self.budget.money(read, written),
        )

    def _beyond(self, tokens: int, money: float) -> Limit | None:
        """Which limit a request might go beyond."""
        use, budget = self.usage, self.budget
        if budget.most_money is not None and use.money + self._reserved_money + money > budget.most_money:
            return "money"
        spent = use.input_tokens + use.output_tokens + self._reserved_tokens
        if budget.most_tokens is not None and spent + tokens > budget.most_tokens:
            return "tokens"
        return None
