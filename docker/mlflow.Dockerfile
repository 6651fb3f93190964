# MLflow's server, on PostgreSQL and Google Cloud Storage. docker/compose.yaml builds and starts it.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
COPY mlflow.lock /build/
# The secret `ca` is for networks whose certificates are their own.
RUN --mount=type=secret,id=ca,required=false \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && python3 -m venv /opt/mlflow \
    && /opt/mlflow/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r /build/mlflow.lock \
    && /opt/mlflow/bin/python -m pip uninstall --quiet --yes --disable-pip-version-check pip setuptools

FROM ${BASE_IMAGE}
ARG VERSION=
LABEL org.opencontainers.image.title="genotransfer mlflow" \
      org.opencontainers.image.description="MLflow's server on PostgreSQL and Google Cloud Storage" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/mlflow /opt/mlflow
COPY bucket.py /opt/mlflow/bin/
# Nothing is kept in the container: its file system may be read-only, with room under /tmp.
RUN useradd --uid 1000 --gid 0 --no-log-init --no-create-home --home-dir /tmp mlflow
ENV PATH=/opt/mlflow/bin:${PATH} \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
WORKDIR /tmp
USER 1000:0
EXPOSE 5000
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--serve-artifacts"]
