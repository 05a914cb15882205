"""`python -m cosmith.cli`, where the console script is not on the path."""

from __future__ import annotations

from cosmith.cli.app import main

main()
