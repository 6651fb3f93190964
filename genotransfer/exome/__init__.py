"""Exomes: quality control from VCF, preselection, genes, and synthetic ones."""

from genotransfer.exome.annotation import annotate_variants, read_annotation, write_annotation
from genotransfer.exome.control import ExomeResult, control_exome, write_steps
from genotransfer.exome.gene_counts import (
    count_gene_alleles,
    find_variant_weights,
    read_gene_weights,
    weigh_inputs,
)
from genotransfer.exome.gene_models import GeneModels, read_gene_models
from genotransfer.exome.preselection import compare_genotypes, preselect
from genotransfer.exome.settings import ExomeSettings, parse_settings
from genotransfer.exome.synthetic import SyntheticExome, simulate_exome

__all__ = [
    "ExomeResult",
    "ExomeSettings",
    "GeneModels",
    "SyntheticExome",
    "annotate_variants",
    "compare_genotypes",
    "control_exome",
    "count_gene_alleles",
    "find_variant_weights",
    "parse_settings",
    "preselect",
    "read_annotation",
    "read_gene_models",
    "read_gene_weights",
    "simulate_exome",
    "weigh_inputs",
    "write_annotation",
    "write_steps",
]
