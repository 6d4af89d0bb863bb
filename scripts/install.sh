#!/usr/bin/env bash
# Makes sure that a command is there: install.sh COMMAND PACKAGE. Where it is not, it is
# installed as Debian's package if that is possible, else it is said how to get it.
set -euo pipefail
command -v "$1" >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing $2." >&2
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2") >/dev/null
else
  echo "$1 is missing: install it first (apt-get install $2)." >&2
  exit 1
fi
