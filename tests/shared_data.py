"""Where the recordings for development lie, and how a test that needs them skips without them."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

needs_shared_data = pytest.mark.skipif(
    not (SHARED / "data" / "README.md").exists(),
    reason="needs the recordings in ../shared/data beside the checkout",
)
