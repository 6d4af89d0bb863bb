#!/usr/bin/env bash
# Runs Playwright against a server with demo data, on a free port:
#   run.sh test          runs the tests
#   run.sh screenshots   updates docs/images
set -euo pipefail
cd "$(dirname "$0")/../.."
browser=$(scripts/chromium.sh)
go build -o bin/convo ./cmd/convo
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
export CONVO_DATA_DIR="$data" CONVO_ADDR="127.0.0.1:$port" CONVO_BROWSER="$browser"
cd scripts/browser
npx playwright test --project="$1"
