#!/usr/bin/env bash
# Tests a running server against the OpenAPI document with Schemathesis, and compares the document with the last
# released one using oasdiff.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/contract/venv.sh
scripts/contract/breaking.sh
CONVO_TRUSTED_PROXIES=127.0.0.0/8 scripts/withserver.sh bash -c '
  timeout --signal=INT 900 .cache/contract/bin/schemathesis --config-file scripts/contract/schemathesis.toml \
    run openapi/openapi.json --url "$CONVO_BASE_URL" --no-color ${SCHEMATHESIS_FLAGS:-}'
