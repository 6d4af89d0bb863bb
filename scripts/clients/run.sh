#!/usr/bin/env bash
# Generates clients in other languages from the OpenAPI document and compiles them unmodified. Each lists leads, creates
# a lead, requests a missing lead and uploads a file on a running server (scripts/withserver.sh).
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
  if [ ! -x "$dir/venv/bin/openapi-python-client" ]; then
    rm -rf "$dir" && mkdir -p "$dir"
    python3 -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r scripts/clients/python/requirements.txt
  fi
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

# openapi_generator GENERATOR [OPTION...] generates into $work/GENERATOR/client, without options of its own.
openapi_generator() {
  local generator=$1 version=7.23.0
  shift
  for tool in java mvn; do
    command -v $tool >/dev/null || { echo "$tool is not installed. Install it first: apt-get install default-jdk-headless maven" >&2; return 1; }
  done
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
  openapi_generator rust
  (cd "$work/rust/client" && CARGO_TARGET_DIR=$work/rust/target quietly ../log cargo check)
  echo "Rust, openapi-generator: compiled"
}

kotlin_client() {
  openapi_generator kotlin
  cp scripts/clients/kotlin/pom.xml "$work/kotlin/client/"
  (cd "$work/kotlin/client" && quietly ../log mvn -q -B compile)
  echo "Kotlin, openapi-generator: compiled"
}

for language in ${CLIENTS:-go python typescript java pydantic fetch rust kotlin}; do
  "${language}_client"
done
