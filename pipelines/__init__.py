"""Pipelines composed of the components, the runner that needs no cluster, and the command line."""
