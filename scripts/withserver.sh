#!/usr/bin/env bash
# Runs a command with a server that has demo data, on a free port. Sets for the command:
#   CONVO_ORIGIN     http://127.0.0.1:PORT
#   CONVO_BASE_URL   the origin with the base path
#   CONVO_TOKEN      a token of the demo workspace with all scopes and no rate limit
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/convo ./cmd/convo
data=$(mktemp -d)
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
export CONVO_DATA_DIR="$data" CONVO_ADDR="127.0.0.1:$port" CONVO_ORIGIN="http://127.0.0.1:$port" CONVO_BASE_URL="http://127.0.0.1:$port/api/v1"
CONVO_LOG_LEVEL=${CONVO_LOG_LEVEL:-warn} bin/convo dev >"$data/log" 2>&1 &
server=$!
stop() {
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  rm -rf "$data"
}
trap stop EXIT
node -e '
  const ready = async () => { try { return (await fetch(process.env.CONVO_ORIGIN + "/readyz")).ok } catch { return false } };
  (async () => { for (let i = 0; i < 600; i++) { if (await ready()) return; await new Promise((r) => setTimeout(r, 100)); } process.exit(1); })()' ||
  { cat "$data/log" >&2; exit 1; }
bin/convo workspace set-limit --slug demo --per-minute 1000000
CONVO_TOKEN=$(cat "$data/demo-token")
export CONVO_TOKEN
status=0
"$@" || status=$?
if [ "$status" != 0 ]; then tail -n 30 "$data/log" >&2; fi
if grep -q '"level":"ERROR"' "$data/log"; then
  echo "The server logged errors:" >&2
  grep '"level":"ERROR"' "$data/log" | head -n 10 >&2
  status=1
fi
exit "$status"
