#!/usr/bin/env bash
# Build the images of this release: NAME/python-data, and NAME/python-train for each accelerator.
# Usage: tools/build_images.sh PYTHON [cpu|gpu|none ...]
#   BASE_IMAGE          what they start from (python:3.11-slim)
#   GENOTRANSFER_IMAGES the repository they are named in (genotransfer)
#   CA_BUNDLE           certificates of the network packages come through, where it has its own
#   DOCKER              the client (docker), which must know BuildKit
set -euo pipefail
python=$1
shift
docker=${DOCKER:-docker}
repository=${GENOTRANSFER_IMAGES:-genotransfer}
said=$("$python" -c '
from genotransfer import __version__
from genotransfer.release import read_revision
print(__version__, read_revision())')
read -r version revision <<<"$said"
release=$version${revision:+-$revision}
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision")
[ -z "${BASE_IMAGE:-}" ] || arguments+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[ -z "${CA_BUNDLE:-}" ] || arguments+=(--secret "id=ca,src=$CA_BUNDLE")
# Of a checkout, only what git knows: whatever else lies there, a file of passwords say, is not sent.
send_context() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z -- genotransfer components pipelines docker pyproject.toml hatch_build.py README.md LICENSE |
            tar --null --no-recursion -T - -c
    else
        tar -c genotransfer components pipelines docker pyproject.toml hatch_build.py README.md LICENSE
    fi
}
build() { # kind, Dockerfile, more arguments
    local name=$repository/python-$1:$release
    send_context | DOCKER_BUILDKIT=1 "$docker" build --quiet "${arguments[@]}" "${@:3}" -f "docker/$2.Dockerfile" \
        -t "$name" - >/dev/null
    "$docker" image inspect --format '{{.Size}} {{.Id}}' "$name" |
        awk -v name="$name" '{ printf "%s  %.0f MB  %s\n", name, $1 / 1e6, $2 }'
}
build data data
for accelerator in "${@:-cpu}"; do
    case $accelerator in
        cpu) build train train --build-arg ACCELERATOR=cpu ;;
        gpu) build train-gpu train --build-arg ACCELERATOR=gpu ;;
        none) ;;
        *) echo "ACCELERATOR is cpu or gpu, not $accelerator" >&2 && exit 2 ;;
    esac
done
