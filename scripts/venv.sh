#!/usr/bin/env bash
# venv.sh REQUIREMENTS VENV installs pinned Python packages in a virtual environment, unless they are there.
set -euo pipefail
requirements=$1 venv=$2
cmp -s "$requirements" "$venv/requirements.txt" 2>/dev/null && exit 0
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
cp "$requirements" "$venv/requirements.txt"
