#!/usr/bin/env bash
# Installs the pinned Python packages of the contract tests in .cache/contract, unless they are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/venv.sh scripts/contract/requirements.txt .cache/contract
