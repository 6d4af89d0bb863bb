#!/usr/bin/env bash
# Fails if generated files differ from the committed ones, or if new ones appear.
set -euo pipefail
cd "$(dirname "$0")/.."
generated=(gen openapi/openapi.json openapi/postman.json sdk/typescript/src/schema.gen.ts docs/reference internal/api/widget/assets)
before=$(git status --porcelain -- gen openapi sdk docs/reference internal/api/widget/assets)
make --no-print-directory generate
after=$(git status --porcelain -- gen openapi sdk docs/reference internal/api/widget/assets)
if [ "$before" != "$after" ] || ! git diff --quiet -- "${generated[@]}"; then
  git --no-pager diff --stat -- "${generated[@]}"
  git status --porcelain -- gen openapi sdk docs/reference
  echo "Generated files differ from the committed ones. Run 'make generate' and commit the result." >&2
  exit 1
fi
