#!/usr/bin/env bash
# Make the environment from requirements.lock, with uv where it is at hand and pip where it is not.
# Usage: tools/make_environment.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || {
    echo "genotransfer needs Python 3.11 or 3.12, and $python is $("$python" --version 2>&1)." \
         "Name another: make PYTHON=python3.11" >&2
    exit 1
}
echo "Making $venv (once; a minute or so)" >&2
"$python" -m venv --clear "$venv"
if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
    "$venv/bin/uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements.lock
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
