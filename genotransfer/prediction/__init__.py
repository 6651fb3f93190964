"""A model one can carry away, and prediction with it."""
