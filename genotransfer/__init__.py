"""genotransfer: carry genotype-phenotype knowledge from a large population to a small one."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("genotransfer")
except PackageNotFoundError:  # running from a source tree that is not installed
    __version__ = "0+unknown"
