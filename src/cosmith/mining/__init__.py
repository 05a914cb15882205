"""Mining: better training rows from those that are there."""

from cosmith.mining.hard_negatives import LikelyPositive, MiningResult, mine_hard_negatives

__all__ = ["LikelyPositive", "MiningResult", "mine_hard_negatives"]
