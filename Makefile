.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

GENERATE := go tool -modfile=scripts/tools/generate.mod
LINT     := go tool -modfile=scripts/tools/lint.mod golangci-lint
SPEC_DIR := $(CURDIR)/.cache/spec-coverage
# Flags for go test, such as TESTFLAGS="-run TestLeads -v".
TESTFLAGS ?=
FUZZTIME ?= 20s
# Size of the large workspace of bench-growth; 1 is 5 million leads.
GROWTH ?= 1

.PHONY: help run build bench bench-verify bench-growth bench-search bench-knowledge bench-webhooks bench-widget bench-channels bench-dead-provider bench-neighbors record profile bin/bench test test-browser screenshots sdk clients contract curl cover conformance eval fuzz check generate widget drift lint prose fmt spec-lint sql-check vuln licenses redis pgbouncer contract-tools

help: ## List all targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Start the server on a private PostgreSQL, with demo data.
	@go build -o bin/convo ./cmd/convo && exec bin/convo dev

build: ## Build bin/convo.
	@go build -trimpath -o bin/convo ./cmd/convo

test: redis pgbouncer curl scripts/tools/node_modules contract-tools ## Run all tests, then print the documented statuses that they saw.
	@rm -rf $(SPEC_DIR) .cache/tallies && mkdir -p $(SPEC_DIR)
	@go run ./scripts/withpostgres env CONVO_SPEC_COVERAGE_DIR=$(SPEC_DIR) CONVO_TALLIES_FILE=$(CURDIR)/.cache/tallies go test -count=1 -timeout=20m $(TESTFLAGS) ./...
	@go run ./scripts/speccoverage $(SPEC_DIR)
	@if [ -f .cache/tallies ]; then cat .cache/tallies; fi

test-browser: scripts/browser/node_modules ## Test the pages in a real browser.
	@scripts/browser/run.sh test

sdk: scripts/browser/node_modules sdk/typescript/node_modules ## Pack the TypeScript SDK and test it in projects of every kind.
	@scripts/chromium.sh >/dev/null
	@CONVO_BROWSER=$$(scripts/chromium.sh) scripts/withserver.sh node sdk/typescript/scripts/prove.mjs

clients: sdk/typescript/node_modules ## Generate, compile and test clients in Go, Python, TypeScript, Java, Rust and Kotlin.
	@CONVO_LOG_LEVEL=error scripts/withserver.sh scripts/clients/run.sh

contract: ## Test a server against the OpenAPI document (Schemathesis), and the document against the last release (oasdiff).
	@scripts/contract/run.sh

screenshots: scripts/browser/node_modules ## Update the screenshots in docs/images.
	@scripts/browser/run.sh screenshots

cover: redis pgbouncer curl scripts/tools/node_modules contract-tools ## Run all tests and print the coverage of hand-written code.
	@mkdir -p .cache
	@go run ./scripts/withpostgres go test -count=1 -coverpkg=./cmd/...,./db/...,./internal/... -coverprofile=.cache/coverage.out ./... >/dev/null
	@go tool cover -func=.cache/coverage.out | tail -n 1

conformance: ## Run the tests that all channel types have in common; updates their results and the table in docs/channels.md.
	@go run ./scripts/withpostgres go test -count=1 -run TestConformance $(patsubst %/conformance_test.go,./%,$(wildcard internal/domain/channel/*/conformance_test.go)) -update
	@go test -count=1 ./internal/testing/channeltest -update

eval: ## Measure how well agents with the provider builtin reply; updates the baseline and docs/agents.md.
	@go run ./scripts/withpostgres go test -count=1 -run TestBuiltinKeepsItsBaseline ./internal/domain/agent/evaluation -update -v | grep -v '^[=-]'

fuzz: ## Fuzz each target for FUZZTIME (default 20s).
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z]+' --include='*_test.go' internal | sed 's/func //'); do \
	  package=$$(grep -rlE "^func $$target\(" --include='*_test.go' internal | head -n 1 | xargs dirname); \
	  echo "$$target in $$package"; \
	  go run ./scripts/withpostgres go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$package | tail -n 3; \
	done

check: ## Run exactly what CI runs: drift, linters, SQL, vulnerabilities, tests with the race detector, browser, SDK, contract.
	@command -v cc >/dev/null || { echo "The race detector needs a C compiler: install gcc (apt-get install gcc)." >&2; exit 1; }
	@echo "== generated code"; scripts/drift.sh
	@echo "== specification"; $(MAKE) spec-lint
	@echo "== SQL"; $(MAKE) sql-check
	@echo "== linters"; $(MAKE) lint
	@echo "== vulnerabilities"; $(MAKE) vuln
	@echo "== licenses"; $(MAKE) licenses
	@echo "== tests"; $(MAKE) test TESTFLAGS="-race $(TESTFLAGS)"
	@echo "== browser"; $(MAKE) test-browser
	@echo "== TypeScript SDK"; $(MAKE) sdk
	@echo "== contract"; $(MAKE) contract

bench: bin/bench scripts/bench/fastify/node_modules ## Benchmark the server against two references; updates docs/performance.md.
	@bin/bench

bench-verify: bin/bench ## Compare the load generator of bench with wrk; updates docs/performance.md.
	@scripts/install.sh wrk wrk && bin/bench verify

bench-growth: bin/bench ## Compare a small with a large workspace; updates docs/performance.md.
	@bin/bench growth --scale $(GROWTH)

profile: bin/bench ## Profile the server under load, and print the functions that take the most CPU time.
	@bin/bench profile

bench-search: ## Benchmark search over 100,000 passages.
	@go run ./scripts/withpostgres go test -run NONE -bench Search -benchtime 500x ./internal/domain/knowledge

bench-knowledge: ## Benchmark an upload next to a workspace with slow crawls, and to one with many uploads.
	@go run ./scripts/withpostgres go test -run NONE -bench Neighbor -benchtime 20x ./internal/domain/knowledge

bench-webhooks: bin/bench ## Benchmark webhook delivery against two references; updates docs/webhooks.md.
	@bin/bench webhooks

bench-widget: bin/bench ## Measure the memory of 10,000 open streams of the chat widget, and how long messages take; updates docs/widget.md.
	@bin/bench widget

bench-channels: bin/bench ## Measure 500 messages per second through ten channels to simulators of their providers; updates docs/channels.md.
	@bin/bench channels

bench-dead-provider: bin/bench ## Measure messages of a workspace next to one whose provider does not respond; updates docs/channels.md.
	@bin/bench dead-provider

bench-neighbors: bin/bench ## Benchmark webhook delivery next to a greedy workspace; updates docs/webhooks.md.
	@bin/bench neighbors

ledger: ## Kill, freeze, cut and restart everything under load, and compare what was acknowledged with what is kept; updates docs/reliability.md.
	@scripts/install.sh haproxy haproxy
	@scripts/install.sh pg_basebackup postgresql
	@go build -trimpath -o bin/convo ./cmd/convo && go build -o bin/ledger ./scripts/ledger && bin/ledger --out docs/reliability.md

record: ## Record a conversation through each kind of channel; updates docs/channels.md.
	@CONVO_RECORD=$(CURDIR)/docs/channels.md go run ./scripts/withpostgres go test -count=1 -run TestRecord ./internal/api/hooks

generate: scripts/tools/node_modules widget ## Bundle openapi/src, and generate gen/, the Postman collection, the SDK's types, the chat widget and docs/reference.
	@scripts/bundle.sh
	@$(GENERATE) oapi-codegen -config openapi/oapi-codegen-model.yaml openapi/openapi.json
	@go run ./scripts/aliases >.aliases.tmp && mv .aliases.tmp gen/api/model.gen.go || { rm -f .aliases.tmp; exit 1; }
	@$(GENERATE) oapi-codegen -config oapi-codegen.yaml openapi/openapi.json
	@go run ./scripts/postman <openapi/openapi.json >.postman.tmp && mv .postman.tmp openapi/postman.json || { rm -f .postman.tmp; exit 1; }
	@$(GENERATE) sqlc generate
	@$(MAKE) sdk/typescript/node_modules && cd sdk/typescript && npm run -s generate >/dev/null
	@go run ./cmd/convo describe | go run ./scripts/reference docs/reference
	@go run ./scripts/withpostgres go run ./scripts/constraints > .constraints.tmp && mv .constraints.tmp gen/db/constraints.gen.go || { rm -f .constraints.tmp; exit 1; }

widget: sdk/widget/node_modules ## Check the types of the chat widget, and build it into internal/api/widget/assets.
	@cd sdk/widget && npm run -s typecheck && npm run -s build

drift: ## Fail if generated files differ from the committed ones.
	@scripts/drift.sh

lint: prose ## Lint the code and the prose, and refuse the use of the connection pool inside a transaction.
	@$(LINT) run
	@if go list -f '{{.ImportPath}} imports {{join .Imports " "}}' ./gen/... | grep avelto/convo/internal/; then \
	  echo "Generated code must not import internal packages; golangci-lint does not check it." >&2; exit 1; fi
	@if go list -deps ./internal/domain/... ./internal/platform/... | grep labstack/echo; then \
	  echo "The domain and the platform must not depend on the web server, not even through other packages." >&2; exit 1; fi
	@go build -o .cache/txpool ./scripts/txpool && go vet -vettool=$(CURDIR)/.cache/txpool ./...

prose: ## Lint the prose of docs, pages and comments with Vale.
	@scripts/prose.sh

fmt: ## Format the code.
	@$(LINT) fmt

spec-lint: scripts/tools/node_modules ## Lint openapi/openapi.json.
	@NO_UPDATE_NOTIFIER=1 REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_TELEMETRY=off scripts/tools/node_modules/.bin/redocly lint 2>&1 \
	  | grep -vE '^[[:space:]]*(║|╔|╚)|^[[:space:]]*$$'

sql-check: ## Check the queries against the schema, and that they filter by workspace.
	@go run ./scripts/withpostgres bash -c ' \
	  DATABASE_URL=$$CONVO_TEST_DATABASE_URL go run ./cmd/convo migrate up >/dev/null && \
	  CONVO_SQLC_DATABASE_URL=$$CONVO_TEST_DATABASE_URL $(GENERATE) sqlc vet'

vuln: ## Check for known vulnerabilities.
	@scripts/vulncheck.sh

licenses: ## Fail on a dependency whose license is not on the list in scripts/licenses.sh.
	@scripts/licenses.sh

redis:
	@scripts/redis.sh

pgbouncer:
	@scripts/pgbouncer.sh

contract-tools:
	@scripts/contract/venv.sh

curl:
	@scripts/install.sh curl curl
	@scripts/install.sh jq jq

scripts/browser/node_modules: scripts/browser/package-lock.json
	@cd scripts/browser && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --loglevel=error --no-audit --no-fund >/dev/null && touch node_modules

sdk/typescript/node_modules: sdk/typescript/package-lock.json
	@cd sdk/typescript && npm ci --loglevel=error --no-audit --no-fund >/dev/null && touch node_modules

sdk/widget/node_modules: sdk/widget/package-lock.json
	@cd sdk/widget && npm ci --loglevel=error --no-audit --no-fund >/dev/null && touch node_modules

scripts/bench/fastify/node_modules: scripts/bench/fastify/package-lock.json
	@cd scripts/bench/fastify && npm ci --loglevel=error --no-audit --no-fund >/dev/null && touch node_modules

bin/bench:
	@go build -trimpath -o bin/convo ./cmd/convo && go build -trimpath -o bin/bench ./scripts/bench

scripts/tools/node_modules: scripts/tools/package-lock.json
	@cd scripts/tools && npm ci --loglevel=error --no-audit --no-fund >/dev/null && touch node_modules
