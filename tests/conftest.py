"""What many tests share: the place of the real data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may stop for a second at any time; no test is about how long an example takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it skip where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COSMITH_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set COSMITH_DATA to their folder to run this test")
    return folder
