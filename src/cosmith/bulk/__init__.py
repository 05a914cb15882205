"""Bulk work in shards that any engine may make: in this process, or on a Ray cluster."""

from cosmith.bulk.engine import LOCAL, Engine, run_shards
from cosmith.bulk.shards import ShardJob

__all__ = ["LOCAL", "Engine", "ShardJob", "run_shards"]
