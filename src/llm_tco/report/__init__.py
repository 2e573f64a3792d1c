"""Comparisons as documents and as tables."""
