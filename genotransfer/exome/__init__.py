"""Exomes: quality control from VCF, preselection, genes, and synthetic ones."""
