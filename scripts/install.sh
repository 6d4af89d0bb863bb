#!/usr/bin/env bash
# Installs a command if it is missing: install.sh COMMAND PACKAGE. Uses apt-get as root, and
# otherwise prints how to install it.
set -euo pipefail
command -v "$1" >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing $2." >&2
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2") >/dev/null
else
  echo "$1 is not installed. Install it first: apt-get install $2" >&2
  exit 1
fi
