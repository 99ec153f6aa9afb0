# Each target sets up what it needs on a fresh Debian (make, apt) and is quick the second time.
VENV := .venv
BUILD := .build
BIN := $(VENV)/bin
PYTHON ?= python3
JOBS ?= 2

# What the tests need beside Python: the reference implementation, its test suite, and tools of both.
TEST_PACKAGES := ostree ostree-tests attr avahi-daemon cpio dosfstools e2fsprogs flatpak fuse3 gnupg iproute2 locales parallel strace zstd nginx-light curl openssl
BENCH_PACKAGES := iproute2 mmdebstrap nghttp2-client nginx-light openssl ostree time wrk
DEMO_PACKAGES := cpio dpkg e2fsprogs iproute2 mount util-linux

.PHONY: compiled help venv dev demo test lint unit conformance conformance-gate bench clean
.DEFAULT_GOAL := help

help:
	@echo "make venv         build $(VENV); afterwards $(BIN)/ostree runs"
	@echo "make demo         commit, publish, pull and deploy a real root file system"
	@echo "make test         lint, all tests, and the reference's suite as far as it passes"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make unit         pytest only; ARGS='-k name' to select"
	@echo "make conformance  the whole suite of the reference against our command"
	@echo "make bench        times against the reference; ARGS='--help' for options"

venv: $(VENV)/.runtime
dev: $(VENV)/.dev

$(VENV)/.runtime: pyproject.toml scripts/make-venv
	PYTHON=$(PYTHON) scripts/make-venv $(VENV)
	@touch $@

$(VENV)/.dev: pyproject.toml scripts/make-venv
	PYTHON=$(PYTHON) scripts/make-venv $(VENV) dev
	@touch $(VENV)/.runtime $@

# A stamp's name holds what was installed, so a changed list installs again.
apt_stamp = $(BUILD)/apt-$(firstword $(shell echo $(1) | cksum))
APT_TEST := $(call apt_stamp,$(TEST_PACKAGES))
APT_BENCH := $(call apt_stamp,$(BENCH_PACKAGES) bench)
APT_DEMO := $(call apt_stamp,$(DEMO_PACKAGES) demo)
$(APT_TEST): PACKAGES := $(TEST_PACKAGES)
$(APT_BENCH): PACKAGES := $(BENCH_PACKAGES)
$(APT_DEMO): PACKAGES := $(DEMO_PACKAGES)
$(APT_TEST) $(APT_BENCH) $(APT_DEMO): scripts/apt-install
	@mkdir -p $(BUILD)
	scripts/apt-install $(PACKAGES)
	@touch $@

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev $(APT_TEST) $(APT_DEMO) compiled
	@# A short name: sockets below it have at most 108 bytes of path.
	@root=$$(mktemp -d "$$(scripts/test-tmp)/ot.XXXX"); trap 'rm -rf "$$root"' EXIT; set -ex; \
	export PYTEST_DEBUG_TEMPROOT="$$root"; \
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m "not serial" $(ARGS); \
	$(BIN)/pytest -m serial $(ARGS) || [ $$? = 5 ]  # 5: no such test

# Sources newer than their bytecode cost each of thousands of starts a compilation.
compiled: $(VENV)/.runtime
	@$(BIN)/python -m compileall -q src

conformance-gate: $(VENV)/.dev $(APT_TEST) compiled
	$(BIN)/python -m tests.conformance --jobs $(JOBS) --listed

test: lint unit conformance-gate

conformance: $(VENV)/.dev $(APT_TEST) compiled
	$(BIN)/python -m tests.conformance --jobs $(JOBS) --all $(ARGS)

bench: $(VENV)/.dev $(APT_BENCH) compiled
	$(BIN)/python -m bench $(ARGS)

demo: $(VENV)/.runtime $(APT_DEMO) compiled
	@demo/run.sh

clean:
	rm -rf $(BUILD) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
