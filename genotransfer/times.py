"""The time of day as records show it."""

from __future__ import annotations

from datetime import UTC, datetime


def name_time() -> str:
    """Return the time now, in UTC, to the second: ``2026-11-21 09:30:00 UTC``."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
