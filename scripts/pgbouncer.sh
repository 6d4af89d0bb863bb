#!/usr/bin/env bash
# Makes sure that there is a PgBouncer for the tests.
set -euo pipefail
if command -v pgbouncer >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "No PgBouncer on this machine: installing it"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pgbouncer >/dev/null
else
  echo "Install PgBouncer (apt-get install pgbouncer, brew install pgbouncer) and try again." >&2
  exit 1
fi
