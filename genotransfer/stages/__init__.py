"""Stages of a study: what each component does, on files, without any pipeline framework."""
