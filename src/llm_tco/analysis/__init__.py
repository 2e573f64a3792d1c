"""Readings of ledgers: comparison, break-even, investment."""
