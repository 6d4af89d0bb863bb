#!/usr/bin/env bash
# Fails if the document has breaking changes compared to the last released one, unless the major version changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
released=${1:-openapi/released.json}
current=${2:-openapi/openapi.json}
major() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).info.version.split(".")[0]' "$1"; }
if [ "$(major "$released")" != "$(major "$current")" ]; then
  echo "oasdiff: the major version changed; breaking changes are allowed"
  exit 0
fi
go tool -modfile=scripts/tools/oasdiff.mod oasdiff breaking --fail-on ERR "$released" "$current"
echo "oasdiff: no breaking changes"
