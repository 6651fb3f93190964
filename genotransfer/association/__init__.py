"""Association of variants with a case-control label, one test at a time, in PLINK's columns."""

from genotransfer.association.table import TESTS, associate, read_association, write_association

__all__ = ["TESTS", "associate", "read_association", "write_association"]
