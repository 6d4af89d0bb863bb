#!/usr/bin/env bash
# Fails where generating anew changes what is committed, new files included.
set -euo pipefail
cd "$(dirname "$0")/.."
before=$(git status --porcelain -- gen openapi sdk)
make --no-print-directory generate
after=$(git status --porcelain -- gen openapi sdk)
if [ "$before" != "$after" ] || ! git diff --quiet -- gen openapi/openapi.json openapi/postman.json sdk/typescript/src/schema.gen.ts; then
  git --no-pager diff --stat -- gen openapi/openapi.json openapi/postman.json sdk/typescript/src/schema.gen.ts
  git status --porcelain -- gen openapi sdk
  echo "Generated code differs from what is committed: run 'make generate' and commit." >&2
  exit 1
fi
