"""One task of a benchmark in a process of its own: `python -m benchmarks.worker TASK.json RESULT.json`.

Modules a task times are imported before its clock starts.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

# Where the function of each task is.
TASKS = {
    "train_source": "benchmarks.ours",
    "fine_tune": "benchmarks.ours",
    "train_twice": "benchmarks.ours",
    "fit_plain": "benchmarks.plain",
    "measure_rates": "benchmarks.rates",
    "train_large": "benchmarks.scale",
    "train_convolutional": "benchmarks.convolution",
    "list_devices": "benchmarks.training_gpu",
}


def main() -> None:
    """Run the task that the first file describes; write what it returns to the second."""
    given, back = map(Path, sys.argv[1:])
    began = time.perf_counter()
    task: dict[str, Any] = json.loads(given.read_text())
    name = task.pop("task")
    result = getattr(importlib.import_module(TASKS[name]), name)(**task)
    back.write_text(json.dumps(result | {"process_seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
