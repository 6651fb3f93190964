#!/usr/bin/env bash
# Resolve requirements.lock from pyproject.toml, and docker/*.lock from docker/*.in at the versions it has.
set -euo pipefail
lock() {
    uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header \
        --python-version 3.11 "$@"
}
if [ "${1:-}" != images ]; then
    lock --extra dev --extra vcf pyproject.toml -o requirements.lock
fi
versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
# GPU or not, TensorFlow is one version.
sed -n -E 's/^([a-z0-9._-]+==[^ ]+).*/\1/p; s/^tensorflow-cpu(==[^ ]+).*/tensorflow\1/p' requirements.lock >"$versions"
for name in data train-cpu train-gpu; do
    lock --python-platform x86_64-manylinux_2_28 -c "$versions" "docker/$name.in" -o "docker/$name.lock"
done
lock -c "$versions" docker/mlflow.in -o docker/mlflow.lock
lock docker/build.in -o docker/build.lock
