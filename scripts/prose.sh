#!/usr/bin/env bash
# Checks the prose of documentation, templates, comments, messages and names of tests with Vale.
# The paths are in scripts/vale/paths, the rules in scripts/vale/styles. Vale cannot read some of
# the prose; scripts/vale/extract.py copies it to text files.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t specs < <(grep -v '^#' scripts/vale/paths)
mapfile -t files < <(git ls-files -- "${specs[@]}" | grep -E '\.(md|go|html|ts|js|yaml)$')
mapfile -t others < <(git ls-files -- "${specs[@]}" | grep -E '\.(go|sql|sh|py)$')
texts=.cache/prose
rm -rf "$texts" && mkdir -p "$texts"
python3 scripts/vale/extract.py "$texts" "${others[@]}"
failed=0
vale=(go tool -modfile=scripts/tools/vale.mod vale --no-global --no-wrap --output=line)
"${vale[@]}" "${files[@]}" || failed=1
"${vale[@]}" "$texts" >"$texts.log" || failed=1
sed -E "s#^$texts/(.*)\.txt:#\1:#" "$texts.log"
[ "$failed" = 0 ] || exit 1
echo "vale: $((${#files[@]} + ${#others[@]})) files, no findings"
