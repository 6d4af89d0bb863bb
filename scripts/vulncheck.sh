#!/usr/bin/env bash
# Looks for known vulnerabilities in what the binary calls. Where the database of
# vulnerabilities cannot be reached, it says so and passes.
set -uo pipefail
cd "$(dirname "$0")/.."
output=$(go tool -modfile=scripts/tools/check.mod govulncheck ./... 2>&1)
code=$?
if [ $code -ne 0 ] && grep -qE 'fetching vulnerabilities|dial tcp|no such host|i/o timeout|connection refused' <<<"$output"; then
  echo "NOT CHECKED for vulnerabilities: their database cannot be reached from here."
  exit 0
fi
echo "$output"
exit $code
