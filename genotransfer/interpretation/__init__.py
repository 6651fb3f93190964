"""Interpretation: which variants a fitted model's predictions rest on, and whether those are true ones."""
