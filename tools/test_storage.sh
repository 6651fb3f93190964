#!/usr/bin/env bash
# Run the tests of storage against a copy of Google's storage-testbench: tools/test_storage.sh PYTHON CHECKOUT [pytest's arguments]
# Its dependencies are not ours, so it gets an environment of its own, build/testbench, made once.
set -euo pipefail
python=$1 checkout=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
place=$here/build/testbench
if ! [ -f "$checkout/testbench_run.py" ]; then
    echo "$checkout is no checkout of https://github.com/googleapis/storage-testbench. Say where one is: make test-storage TESTBENCH=folder" >&2
    exit 2
fi
if ! [ -f "$place/.installed" ]; then
    rm -rf "$place"
    "$python" -m venv "$place"
    cp -r "$checkout" "$place/checkout"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$place/checkout"
    touch "$place/.installed"
fi
cd "$here"
GENOTRANSFER_TESTBENCH=$place/checkout GENOTRANSFER_TESTBENCH_PYTHON=$place/bin/python \
    exec "$python" -m pytest tests/integration/test_storage*.py "$@"
