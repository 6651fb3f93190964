"""Replication: many runs of one study, and what they say of one run's figures and of the paper's."""
