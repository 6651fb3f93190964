#!/usr/bin/env bash
# Start and stop MLflow's server, PostgreSQL and the bucket on this machine: tools/services.sh up|build|down, or
# save FOLDER and restore FOLDER, or compose with its own arguments. `up` builds MLflow's image where it is absent.
# SERVICES_ENV is the file of settings, docker/.env unless given; DOCKER the client, docker unless given. Where pip
# needs a certificate of its own (PIP_CERT), the build of MLflow's image gets it as a secret.
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
settings=${SERVICES_ENV:-docker/.env}

find_compose() {
    if "$docker" compose version >/dev/null 2>&1; then
        compose=("$docker" compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        echo "There is neither '$docker compose' nor docker-compose. Install Docker's compose plugin, or on Debian: apt-get install docker-compose" >&2
        exit 2
    fi
    compose+=(--env-file "$settings" -f docker/compose.yaml)
}

write_settings() {
    [ -e "$settings" ] && return
    local password
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    (
        umask 077
        sed "s/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD=$password/" docker/.env.example >"$settings.part"
        mv "$settings.part" "$settings"
    )
    echo "Wrote $settings with a random password."
}

build_mlflow() {
    local image base
    image=$(read_setting MLFLOW_IMAGE genotransfer/mlflow:0.1.0)
    base=$(read_setting BASE_IMAGE python:3.11-slim)
    if [ "$1" = absent ] && "$docker" image inspect "$image" >/dev/null 2>&1; then
        return
    fi
    DOCKER_BUILDKIT=1 "$docker" build --quiet --tag "$image" --build-arg BASE_IMAGE="$base" --build-arg VERSION="${image##*:}" \
        ${PIP_CERT:+--secret id=ca,src="$PIP_CERT"} --file docker/mlflow.Dockerfile docker
}

# As compose reads them: the environment goes before the file.
read_setting() {
    local value=${!1:-}
    [ -n "$value" ] || value=$(sed -n "s/^$1=//p" "$settings" | tail -n 1)
    echo "${value:-$2}"
}

wait_for_mlflow() {
    local address
    address=http://127.0.0.1:$(read_setting MLFLOW_PORT 5000)
    for _ in $(seq 180); do
        if curl --silent --fail --output /dev/null --max-time 5 "$address/health"; then
            echo "MLflow is at $address. For genotransfer: export MLFLOW_TRACKING_URI=$address"
            return
        fi
        sleep 1
    done
    "${compose[@]}" logs --tail 30 >&2
    echo "MLflow did not answer at $address within three minutes; above is what the services said." >&2
    exit 1
}

save_all() {
    umask 077
    mkdir -p "$1"
    # The database first: what it names is in the bucket by then.
    "${compose[@]}" exec -T postgres pg_dump --username=mlflow --format=custom mlflow >"$1/database.part"
    "${compose[@]}" exec -T mlflow python /opt/mlflow/bin/bucket.py save mlflow >"$1/bucket.part"
    mv "$1/database.part" "$1/database.dump"
    mv "$1/bucket.part" "$1/bucket.tar"
    echo "Saved to $1/database.dump and $1/bucket.tar."
}

restore_all() {
    [ -r "$1/database.dump" ] && [ -r "$1/bucket.tar" ] || { echo "$1 holds no database.dump and bucket.tar: services.sh save makes them." >&2; exit 2; }
    # Nothing is touched unless the dump can be read, and MLflow comes back whatever happens.
    "${compose[@]}" exec -T postgres pg_restore --list <"$1/database.dump" >/dev/null
    trap '"${compose[@]}" up -d' EXIT
    "${compose[@]}" exec -T mlflow python /opt/mlflow/bin/bucket.py load mlflow <"$1/bucket.tar"
    "${compose[@]}" stop mlflow
    "${compose[@]}" exec -T postgres pg_restore --username=mlflow --dbname=mlflow --clean --if-exists \
        --exit-on-error --single-transaction <"$1/database.dump"
    trap - EXIT
    "${compose[@]}" up -d
    wait_for_mlflow
}

case ${1:-} in
up)
    find_compose
    write_settings
    build_mlflow absent
    "${compose[@]}" up -d
    wait_for_mlflow
    ;;
build)
    write_settings
    build_mlflow anew
    ;;
down)
    find_compose
    "${compose[@]}" down
    ;;
save | restore)
    find_compose
    folder=${2:?say which folder}
    case $folder in /*) ;; *) folder=$from/$folder ;; esac
    "$1_all" "$folder"
    ;;
compose)
    find_compose
    "${compose[@]}" "${@:2}"
    ;;
*)
    sed -n 2,5p "$0" >&2
    exit 2
    ;;
esac
