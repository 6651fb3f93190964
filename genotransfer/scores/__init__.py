"""Polygenic scores: sums of allele counts, learnt on the source and adapted to the target."""
