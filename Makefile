# What a developer does here. "make" lists it.

GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod
TIMEOUT ?= 60m
BENCH ?= .
BENCHTIME ?= 20000x
FUZZTIME ?= 30s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## run everything on a throwaway database, with simulated Stripe traffic
	$(GO) run ./cmd/quotekit dev

.PHONY: test
test: ## run all tests on both databases, after 5 s of each fuzz test; starts its own Postgres, and Chromium; needs Node.js
	GO='$(GO)' scripts/fuzz 5s
	scripts/with-notes scripts/with-memory scripts/with-postgres scripts/with-chromium scripts/with-node scripts/with-promtool $(GO) test $$(scripts/race) -timeout $(TIMEOUT) ./...

.PHONY: test-long
test-long: ## the same with more cases of the random tests, and 2 min of each fuzz test
	GO='$(GO)' scripts/fuzz 2m
	QUOTEKIT_TEST_LONG=1 scripts/with-notes scripts/with-memory scripts/with-postgres scripts/with-chromium scripts/with-node scripts/with-promtool $(GO) test $$(scripts/race) -timeout 2h ./...

.PHONY: screenshots
screenshots: ## write pictures of every page to docs/screenshots
	QUOTEKIT_TEST_SCREENSHOTS=$(CURDIR)/docs/screenshots scripts/with-chromium $(GO) test ./browser -run 'TestPages_' -count 1

.PHONY: bench
bench: ## measure the service on both databases with durable commits; BENCH=name BENCHTIME=20000x
	scripts/with-postgres --durable $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -timeout 2h ./app

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (30s)
	GO='$(GO)' scripts/fuzz $(FUZZTIME)

.PHONY: lint
lint: fmt-check vet staticcheck ## formatting, go vet and staticcheck

.PHONY: fmt
fmt: ## format all Go files
	$(TOOL) gofumpt -w .

.PHONY: fmt-check
fmt-check: ## list the files that are not formatted, and fail if there are any
	@files=$$($(TOOL) gofumpt -l . && gofmt -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted (make fmt):"; echo "$$files" | sort -u; exit 1; fi

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: staticcheck
staticcheck: ## staticcheck
	$(TOOL) staticcheck ./...

.PHONY: generate-check
generate-check: ## fail if go generate changes a file
	scripts/unchanged $(GO) generate ./...

.PHONY: build
build: ## build bin/quotekit, one static file
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/quotekit ./cmd/quotekit

.PHONY: release
release: ## build what is released into dist: archives for all platforms, licences, bills of materials, checksums
	rm -rf dist
	GO='$(GO)' scripts/release dist
