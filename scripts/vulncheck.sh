#!/usr/bin/env bash
# Checks the code that the binary calls for known vulnerabilities. If the vulnerability
# database is unreachable, it prints a warning and passes.
set -uo pipefail
cd "$(dirname "$0")/.."
output=$(go tool -modfile=scripts/tools/check.mod govulncheck ./... 2>&1)
code=$?
if [ $code -ne 0 ] && grep -qE 'fetching vulnerabilities|dial tcp|no such host|i/o timeout|connection refused' <<<"$output"; then
  echo "NOT CHECKED: the vulnerability database is unreachable."
  exit 0
fi
echo "$output"
exit $code
