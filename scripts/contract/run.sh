#!/usr/bin/env bash
# Tests a running server against the OpenAPI document with Schemathesis, and compares the document with the last
# released one using oasdiff.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/contract/venv.sh
scripts/contract/breaking.sh

# schemathesis FLAG... tests a server of its own.
schemathesis() {
  CONVO_TRUSTED_PROXIES=127.0.0.0/8 scripts/withserver.sh timeout --signal=INT 900 bash -c '
    exec .cache/contract/bin/schemathesis --config-file scripts/contract/schemathesis.toml \
      run openapi/openapi.json --url "$CONVO_BASE_URL" --no-color "$@"' schemathesis "$@"
}

if [ -n "${SCHEMATHESIS_FLAGS:-}" ]; then
  # shellcheck disable=SC2086 # several flags
  schemathesis $SCHEMATHESIS_FLAGS
  exit
fi
# It uses one core: two processes test half of the operations each. No link leads from one half to the other.
half='^/(conversations|contacts|channels|tags|operators|leads)'
go build -o bin/convo ./cmd/convo
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
schemathesis --exclude-path-regex "$half" >"$printed" 2>&1 &
other=$!
status=0
schemathesis --include-path-regex "$half" || status=$?
wait "$other" || status=$?
cat "$printed"
exit "$status"
