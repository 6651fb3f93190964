"""Trainers of neural networks."""
