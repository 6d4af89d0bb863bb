#!/usr/bin/env bash
# Checks the prose of documentation, templates and comments with Vale. The paths are in
# scripts/vale/paths, the rules in scripts/vale/styles.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t specs < <(grep -v '^#' scripts/vale/paths)
mapfile -t files < <(git ls-files -- "${specs[@]}" | grep -E '\.(md|go|html|ts|js|yaml)$')
go tool -modfile=scripts/tools/vale.mod vale --no-global --no-wrap --output=line "${files[@]}"
echo "vale: ${#files[@]} files, no findings"
