#!/usr/bin/env bash
# Make a base for the images from Debian's packages, where python:3.11-slim cannot be had; takes a minute.
# Usage: tools/make_base_image.sh [NAME]       (as root; needs debootstrap and docker)
set -euo pipefail
name=${1:-genotransfer-base:bookworm}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv bookworm "$folder" >&2
# As the slim images do.
rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/* \
    "$folder"/usr/share/{doc,man,locale,info} "$folder"/var/log/*
find "$folder" -name __pycache__ -type d -prune -exec rm -rf {} +
tar -C "$folder" -c . | "${DOCKER:-docker}" import - "$name" >&2
echo "$name"
