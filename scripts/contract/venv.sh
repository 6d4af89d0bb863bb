#!/usr/bin/env bash
# Installs the pinned Python packages of the contract tests in .cache/contract, unless they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/contract
cmp -s scripts/contract/requirements.txt "$venv/requirements.txt" 2>/dev/null && exit 0
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r scripts/contract/requirements.txt
cp scripts/contract/requirements.txt "$venv/requirements.txt"
