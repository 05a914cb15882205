"""One thing that a run's figures say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """Something that a run's figures say.

    Attributes:
        rule: Which rule found it.
        says: What is the matter, in a sentence.
        evidence: The figures behind it.
        remedy: What to change.
    """

    rule: str
    says: str
    evidence: str
    remedy: str

    def describe(self) -> str:
        """All of it as text."""
        return f"{self.says} {self.evidence} {self.remedy}"
