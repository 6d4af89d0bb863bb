#!/usr/bin/env bash
# Prints the path of Chromium. Installs it with apt-get if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
find_browser() { command -v chromium || command -v google-chrome || command -v chromium-browser; }
if [ -n "${CONVO_BROWSER:-}" ]; then
  echo "$CONVO_BROWSER"
  exit 0
fi
find_browser || { scripts/install.sh chromium chromium && find_browser; }
