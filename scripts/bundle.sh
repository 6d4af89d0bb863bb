#!/usr/bin/env bash
# Bundles the parts in openapi/src into openapi/openapi.json, which everything else is derived from.
set -euo pipefail
cd "$(dirname "$0")/.."
bundle=$(mktemp --suffix=.json)
trap 'rm -f "$bundle"' EXIT
export NO_UPDATE_NOTIFIER=1 REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_TELEMETRY=off
if ! log=$(scripts/tools/node_modules/.bin/redocly bundle openapi/src/openapi.yaml -o "$bundle" 2>&1); then
  echo "$log" >&2
  exit 1
fi
if grep -q '"#/components/[a-zA-Z]*/[^"]*-[0-9]*"' "$bundle"; then
  echo "Two parts have the same name: Redocly renamed one of them." >&2
  exit 1
fi
{ cat "$bundle"; echo; } > openapi/openapi.json
