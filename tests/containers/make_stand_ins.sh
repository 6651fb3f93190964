#!/usr/bin/env bash
# Build the stand-ins of the images that docker/compose.yaml names: make_stand_ins.sh BASE_IMAGE
# They are genotransfer-test/postgres and genotransfer-test/storage. Needs Go; the base is made of Debian's packages
# where it is not there.
set -euo pipefail
base=${1:-genotransfer-base:bookworm}
docker=${DOCKER:-docker}
here=$(cd "$(dirname "$0")" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

"$docker" image inspect "$base" >/dev/null 2>&1 || "$here/../../tools/make_base_image.sh" "$base"
version=$(sed -n 's/.*fsouza\/fake-gcs-server:\([0-9.]*\)}.*/\1/p' "$here/../../docker/compose.yaml")
GOBIN=$context CGO_ENABLED=0 GOFLAGS=-mod=mod go install "github.com/fsouza/fake-gcs-server@v$version"
cp "$here/start_postgres.sh" "$context"
for one in postgres storage; do
    DOCKER_BUILDKIT=1 "$docker" build --quiet --target "$one" --build-arg BASE_IMAGE="$base" \
        --tag "genotransfer-test/$one" --file "$here/stand_ins.Dockerfile" "$context"
done
