"""Figures of an association: Manhattan, quantile-quantile, and a heat map of linkage disequilibrium."""

from genotransfer.plots.association import compute_lambda_gc, draw_manhattan, draw_qq
from genotransfer.plots.ld import compute_r2, draw_ld

__all__ = ["compute_lambda_gc", "compute_r2", "draw_ld", "draw_manhattan", "draw_qq"]
