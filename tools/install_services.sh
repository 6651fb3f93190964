#!/usr/bin/env bash
# Install what `make test-integration` and `make test-browser` start, where it is absent: PostgreSQL and
# Chromium. Their Python packages are the extra `integration`.
set -euo pipefail
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && command -v chromium >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
    echo "The tests need Debian's postgresql and chromium, or the same programs in their places." >&2
    exit 1
fi
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql chromium >/dev/null
