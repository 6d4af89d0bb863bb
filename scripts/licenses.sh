#!/usr/bin/env bash
# Fails on a dependency under a license that is not on the list: of the Go binary and its
# tests, of the SDK, and of the tools from npm and PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
allowed=MIT,BSD-2-Clause,BSD-3-Clause,Apache-2.0,ISC,MPL-2.0,Unlicense,0BSD,CC0-1.0,Zlib
# The classifier is wrong about these: xi2/xz is in the public domain, the license file of
# oapi-codegen/nullable is Apache-2.0's notice, and libcap/psx is under BSD-3-Clause or,
# alternatively, GPL-2.0: we use it under the former. The license file of chroma, which is
# under MIT, also holds that of a font in formatters/svg, which we must not use.
ignored=(--ignore github.com/alecthomas/chroma/v2 --ignore github.com/xi2/xz --ignore github.com/oapi-codegen/nullable --ignore kernel.org/pub/linux/libs/security/libcap/psx)
if go list -deps -test ./... | grep -F github.com/alecthomas/chroma/v2/formatters/svg; then
  echo "This package contains a font under OFL-1.1." >&2
  exit 1
fi
if ! output=$(go tool -modfile=scripts/tools/licenses.mod go-licenses check ./... --include_tests \
    --allowed_licenses="$allowed" "${ignored[@]}" 2>&1); then
  grep -E 'license|error' <<<"$output" >&2 || echo "$output" >&2
  exit 1
fi
node scripts/licenses/npm.mjs scripts/bench/fastify/package-lock.json sdk/typescript/package-lock.json scripts/tools/package-lock.json scripts/browser/package-lock.json sdk/widget/package-lock.json scripts/clients/typescript/package-lock.json
for tests in contract:.cache/contract clients/python:.cache/clients/python/venv; do
  requirements=scripts/${tests%%:*}/requirements.txt venv=${tests#*:}
  mkdir -p "$(dirname "$venv")"
  scripts/venv.sh "$requirements" "$venv"
  "$venv/bin/python" scripts/licenses/python.py "$requirements"
done
