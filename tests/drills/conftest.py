"""A drill may want the fleet of the acceptance tests."""

from __future__ import annotations

from tests.acceptance.conftest import fleet

__all__ = ["fleet"]
