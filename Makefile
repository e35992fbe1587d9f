# Two targets do everything: `make demo` and `make test`. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## Lists the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: ## Builds, starts a real Redis with Redwall in front of it, and shows a tour. ONCE=1 ends by itself.
	@scripts/need.sh rust cc redis
	@cargo build --locked --quiet
	@scripts/demo.sh

.PHONY: test
test: ## Installs what is missing and runs everything: format, lints, docs, tests, the demo's tour.
	@scripts/need.sh rust cc redis openssl python node promtool
	@scripts/need.sh valgrind || echo "without valgrind: instructions aren't counted"
	@$(MAKE) --no-print-directory servers clients
	cargo fmt --check
	cargo clippy --locked --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	cargo test --locked --quiet
	ONCE=1 scripts/demo.sh

.PHONY: door
door: ## Runs the tests of the faults that Redwall was built against, a line each.
	@scripts/need.sh rust cc redis openssl
	cargo test --locked --quiet --no-run --test door
	cargo test --locked --test door

.PHONY: lanes
lanes: ## Runs the tests of what may go wrong on lanes that clients share, a line each.
	@scripts/need.sh rust cc redis openssl python
	@$(MAKE) --no-print-directory servers
	cargo test --locked --quiet --no-run --test lanes
	cargo test --locked --test lanes

.PHONY: siege
siege: ## Lays siege to Redwall for SIEGE_SECS seconds (60 if not set), and prints how good clients fared.
	@scripts/need.sh rust cc redis
	cargo test --locked --release --quiet --no-run --test siege
	SIEGE_SECS=$${SIEGE_SECS:-60} cargo test --locked --release --quiet --test siege -- --nocapture

.PHONY: servers
servers: ## Fetches the Redis and Valkey servers that the tests run against into .servers/.
	@scripts/need.sh python
	@scripts/servers.sh

.PHONY: clients
clients: ## Fetches the client libraries of other languages that the tests use into .clients/.
	@scripts/need.sh python node
	@scripts/clients.sh

.PHONY: bench
bench: ## Measures Redwall beside Redis's own TLS and other proxies: benches/RESULTS.md. BENCH_OPTIONS=--quick takes 3 minutes.
	@scripts/need.sh rust cc redis bench python
	cargo bench --locked --quiet --no-run --bench policy
	cargo build --locked --release --quiet --example load
	@# Last, so that what is measured is built as users build it.
	cargo build --locked --release --quiet
	python3 benches/peers $(BENCH_OPTIONS)

.PHONY: large
large: ## Has 512 MiB fetched at 1 MiB a second beside quiet clients: about 9 minutes. LARGE_OPTIONS="--size 64 --rate 8" is short.
	@scripts/need.sh rust cc redis bench python
	cargo build --locked --release --quiet --example load
	cargo build --locked --release --quiet
	python3 benches/peers/large.py $(LARGE_OPTIONS)

.PHONY: loops
loops: ## Measures Redwall's inner loops, one by one.
	@scripts/need.sh rust cc redis openssl
	cargo bench --locked --quiet

.PHONY: fuzz
fuzz: ## Fuzzes the parsers for FUZZ_SECS seconds each (60 if not set).
	@scripts/need.sh rust cc
	@scripts/fuzz.sh

.PHONY: clean
clean: ## Removes what building, testing and the demo made.
	rm -rf target .demo .servers .clients
