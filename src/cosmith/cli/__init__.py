"""The command line: parsing and printing only."""

from __future__ import annotations

from cosmith.cli.app import main

__all__ = ["main"]
