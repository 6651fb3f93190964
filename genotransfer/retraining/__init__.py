"""Retraining: new cohorts of the target, what they change, and what has been done with them."""
