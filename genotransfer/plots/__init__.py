"""Figures along the genome: Manhattan, quantile-quantile, linkage disequilibrium, importance to models."""

from genotransfer.linkage import compute_r2
from genotransfer.plots.association import compute_lambda_gc, draw_manhattan, draw_qq
from genotransfer.plots.importance import Track, draw_importance
from genotransfer.plots.ld import draw_ld

__all__ = [
    "Track",
    "compute_lambda_gc",
    "compute_r2",
    "draw_importance",
    "draw_ld",
    "draw_manhattan",
    "draw_qq",
]
