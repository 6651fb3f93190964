"""Each claim of speed, runnable, side by side with its peer. See docs/reference/benchmarks.md."""
