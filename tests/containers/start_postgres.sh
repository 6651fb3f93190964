#!/usr/bin/env bash
# What the published image does for the variables that docker/compose.yaml sets: a database, made once.
set -euo pipefail
if ! [ -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?}"
    initdb --pgdata="$PGDATA" --username="${POSTGRES_USER:-postgres}" --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256 --pwfile=<(echo "$POSTGRES_PASSWORD")
    pg_ctl --pgdata="$PGDATA" --wait --options='-c listen_addresses=' start
    createdb --username="${POSTGRES_USER:-postgres}" "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*'
