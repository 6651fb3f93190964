"""Simulators of haplotypes and phenotypes."""
