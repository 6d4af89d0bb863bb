#!/usr/bin/env bash
# Generates clients in other languages from the OpenAPI document and compiles them unmodified. Those of go, python,
# typescript and java also list leads, create a lead, request a missing lead and upload a file on a running server
# (scripts/withserver.sh). CLIENTS selects some of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$root/.cache/clients
document=$work/openapi.json
mkdir -p "$work"
node -e 'fetch(process.argv[1]).then((r) => r.text()).then((t) => process.stdout.write(t))' "$CONVO_BASE_URL/openapi.json" >"$document"

go_client() {
  local dir=$work/go
  rm -rf "$dir" && mkdir -p "$dir/convo"
  go tool -modfile=scripts/tools/generate.mod oapi-codegen -generate types,client -package convo -o "$dir/convo/convo.go" "$document"
  cp scripts/clients/go/main.go.txt "$dir/main.go"
  (cd "$dir" && go mod init clients >/dev/null 2>&1 && go get github.com/oapi-codegen/runtime@v1.8.0 >/dev/null 2>&1 && go mod tidy >/dev/null 2>&1 && go vet ./... && go run .)
}

python_client() {
  local dir=$work/python
  mkdir -p "$dir"
  scripts/venv.sh scripts/clients/python/requirements.txt "$dir/venv"
  rm -rf "$dir/convo_client"
  (cd "$dir" && PATH="$dir/venv/bin:$PATH" venv/bin/openapi-python-client generate --path "$document" --config "$root/scripts/clients/python/config.yaml" --meta none --output-path convo_client --overwrite --fail-on-warning)
  "$dir/venv/bin/python" -m compileall -q "$dir/convo_client"
  (cd "$dir" && venv/bin/python "$root/scripts/clients/python/round_trip.py")
}

typescript_client() {
  local dir=$work/typescript tools=$root/sdk/typescript/node_modules
  rm -rf "$dir" && mkdir -p "$dir"
  ln -s "$tools" "$dir/node_modules"
  (cd "$dir" && "$tools/.bin/openapi-typescript" "$document" --output schema.d.ts >/dev/null)
  cp scripts/clients/typescript/round-trip.ts "$dir/"
  echo '{"type":"module"}' >"$dir/package.json"
  (cd "$dir" && "$tools/.bin/tsc" --noEmit --strict --skipLibCheck --target es2022 --module nodenext --types node round-trip.ts)
  "$tools/.bin/esbuild" "$dir/round-trip.ts" --bundle --platform=node --format=esm --outfile="$dir/round-trip.mjs" --log-level=error
  node "$dir/round-trip.mjs"
}

# require TOOL PACKAGE... fails unless a tool is installed.
require() {
  local tool=$1
  shift
  command -v "$tool" >/dev/null || { echo "$tool is not installed. Install it first: $*" >&2; return 1; }
}

# openapi_generator GENERATOR [OPTION...] generates into $work/GENERATOR/client, without options of its own.
openapi_generator() {
  local generator=$1 version=7.23.0
  shift
  require java apt-get install default-jdk-headless
  require mvn apt-get install maven
  local jar=$work/openapi-generator-cli-$version.jar dir=$work/$generator
  [ -f "$jar" ] || mvn -q -B dependency:copy -Dartifact=org.openapitools:openapi-generator-cli:$version -DoutputDirectory="$work"
  rm -rf "$dir/client" && mkdir -p "$dir"
  quietly "$dir/log" java -jar "$jar" generate -g "$generator" -i "$document" -o "$dir/client" "$@"
}

# quietly LOG COMMAND... prints the end of the command's output only if it fails.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; return 1; }
}

java_client() {
  local client=$work/java/client log=$work/java/log
  openapi_generator java --library okhttp-gson \
    --additional-properties=hideGenerationTimestamp=true,openApiNullable=false,invokerPackage=convo,apiPackage=convo.api,modelPackage=convo.model
  mkdir -p "$client/src/main/java/roundtrip"
  cp scripts/clients/java/RoundTrip.java "$client/src/main/java/roundtrip/"
  (cd "$client" && quietly "$log" mvn -q -B -DskipTests -Dmaven.javadoc.skip=true -Dmaven.source.skip=true compile dependency:build-classpath -Dmdep.outputFile=classpath)
  java -cp "$client/target/classes:$(cat "$client/classpath")" roundtrip.RoundTrip
}

# The clients below are compiled, and the Python one is imported and parses a body. They send no requests.
pydantic_client() {
  local dir=$work/python-generator
  openapi_generator python
  [ -x "$dir/bin/python" ] || python3 -m venv "$dir"
  quietly "$work/python/log" "$dir/bin/pip" install --quiet --disable-pip-version-check -r "$work/python/client/requirements.txt"
  (cd "$work/python/client" && "$dir/bin/python" "$root/scripts/clients/python/parse.py")
}

fetch_client() {
  openapi_generator typescript-fetch
  (cd "$work/typescript-fetch/client" && quietly ../log "$root/sdk/typescript/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck \
    --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom index.ts)
  echo "TypeScript, openapi-generator: compiled"
}

rust_client() {
  require cargo apt-get install cargo, or https://rustup.rs
  openapi_generator rust
  (cd "$work/rust/client" && CARGO_TARGET_DIR=$work/rust/target quietly ../log cargo check)
  echo "Rust, openapi-generator: compiled"
}

# typescript_tools installs the generators of TypeScript, and prints the directory of their programs.
typescript_tools() {
  local dir=$work/typescript-tools
  mkdir -p "$dir"
  if ! cmp -s scripts/clients/typescript/package-lock.json "$dir/package-lock.json" || [ ! -d "$dir/node_modules" ]; then
    cp scripts/clients/typescript/package.json scripts/clients/typescript/package-lock.json "$dir/"
    (cd "$dir" && npm ci --loglevel=error --no-audit --no-fund >/dev/null) || { rm -f "$dir/package-lock.json"; return 1; }
  fi
  echo "$dir/node_modules/.bin"
}

# strictly LOG FILE... compiles TypeScript in strict mode.
strictly() {
  local log=$1
  shift
  quietly "$log" "$bin/tsc" --noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom,dom.iterable "$@"
}

heyapi_client() {
  local bin dir
  bin=$(typescript_tools) dir=$work/typescript-tools/hey-api
  quietly "$dir.log" "$bin/openapi-ts" -i "$document" -o "$dir"
  strictly "$dir.log" "$dir/index.ts"
  echo "TypeScript, hey-api: compiled"
}

orval_client() {
  local bin dir client
  bin=$(typescript_tools) dir=$work/typescript-tools/orval
  for client in fetch axios; do
    quietly "$dir.log" "$bin/orval" --input "$document" --output "$dir/$client.ts" --client $client
    strictly "$dir.log" "$dir/$client.ts"
  done
  echo "TypeScript, orval: compiled"
}

ogen_client() {
  local dir=$work/ogen
  rm -rf "$dir" && mkdir -p "$dir"
  (cd "$dir" && quietly log go mod init clients && quietly log go get -tool github.com/ogen-go/ogen/cmd/ogen@v1.24.0 &&
    quietly log go tool ogen -target convo -package convo "$document" && quietly log go mod tidy && quietly log go vet ./...)
  echo "Go, ogen: compiled"
}

kotlin_client() {
  openapi_generator kotlin
  cp scripts/clients/kotlin/pom.xml "$work/kotlin/client/"
  (cd "$work/kotlin/client" && quietly ../log mvn -q -B compile)
  echo "Kotlin, openapi-generator: compiled"
}

for language in ${CLIENTS:-go ogen python typescript heyapi orval java pydantic fetch rust kotlin}; do
  "${language}_client"
done
