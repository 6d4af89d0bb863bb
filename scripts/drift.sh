#!/usr/bin/env bash
# Fails where generating anew changes what is committed, new files included.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(git status --porcelain -- gen openapi)
make --no-print-directory generate
after=$(git status --porcelain -- gen openapi)
if [ "$before" != "$after" ] || ! git diff --quiet -- gen openapi/postman.json; then
  git --no-pager diff --stat -- gen openapi/postman.json
  git status --porcelain -- gen openapi
  echo "Generated code differs from what is committed: run 'make generate' and commit." >&2
  exit 1
fi
