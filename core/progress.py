"""How far long work has come."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Told now and then (how much is done, how much there is in all or None where nobody knows)."""
