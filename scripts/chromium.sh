#!/usr/bin/env bash
# Prints where a Chromium is, and installs Debian's where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
find_browser() { command -v chromium || command -v google-chrome || command -v chromium-browser; }
if [ -n "${CONVO_BROWSER:-}" ]; then
  echo "$CONVO_BROWSER"
  exit 0
fi
find_browser || { scripts/install.sh chromium chromium && find_browser; }
