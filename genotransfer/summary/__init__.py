"""What a large population's association study published: its statistics, or a score made of them."""

from genotransfer.summary.align import AlignedStatistics, align_statistics
from genotransfer.summary.reading import FORMATS, detect_format, read_statistics
from genotransfer.summary.statistics import COLUMNS, SummaryStatistics

__all__ = [
    "COLUMNS",
    "FORMATS",
    "AlignedStatistics",
    "SummaryStatistics",
    "align_statistics",
    "detect_format",
    "read_statistics",
]
