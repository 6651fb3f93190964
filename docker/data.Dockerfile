# The image of the tasks without TensorFlow. Build it with `make images`, which gives the arguments.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS packages
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY docker/build.lock docker/data.lock docker/
COPY docker/prune_packages.sh .
# The secret `ca` is for networks whose certificates are their own.
RUN --mount=type=secret,id=ca,required=false \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi \
    && python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --target tools \
        --require-hashes -r docker/build.lock \
    && tools/bin/uv venv --quiet --python "$(command -v python3)" /opt/genotransfer \
    && tools/bin/uv pip install --quiet --python /opt/genotransfer/bin/python --require-hashes -r docker/data.lock \
    && ./prune_packages.sh /opt/genotransfer

FROM packages AS wheel
COPY . .
ARG REVISION=
RUN GENOTRANSFER_REVISION="${REVISION}" PYTHONPATH=tools \
        python3 -c 'from hatchling.build import build_wheel; build_wheel("wheels")'

FROM ${BASE_IMAGE}
# Group 0 may write where user 1000 may, for clusters that choose the user. Kubeflow's launcher puts artifacts
# under /gcs, /minio and /s3.
RUN useradd --uid 1000 --gid 0 --no-log-init --create-home --home-dir /home/genotransfer genotransfer \
    && chmod 0775 /home/genotransfer \
    && install -d -m 0775 -o 1000 -g 0 /gcs /minio /s3
COPY --from=packages /opt/genotransfer /opt/genotransfer
RUN --mount=type=bind,from=wheel,source=/build,target=/build \
    UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1 \
    /build/tools/bin/uv pip install --quiet --python /opt/genotransfer/bin/python --no-deps /build/wheels/*.whl
ENV PATH=/opt/genotransfer/bin:${PATH} \
    HOME=/home/genotransfer \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache KERAS_HOME=/tmp/keras
ARG VERSION= REVISION=
LABEL org.opencontainers.image.title="genotransfer data" \
      org.opencontainers.image.description="Tasks of genotransfer that need no TensorFlow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /home/genotransfer
USER 1000:0
CMD ["genotransfer", "--help"]
