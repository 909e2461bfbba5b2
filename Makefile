# SPDX-License-Identifier: Apache-2.0
# The front door. CMake does the work; every target sets up what it needs by itself.
.PHONY: all build setup demo test kernels bench accuracy fuzz format tidy asan tsan wheel deb install help clean
.DEFAULT_GOAL := all

B := build/release
T ?= gguf
S ?= 60
PREFIX ?= /usr/local

all: build ## build the release and say where the programs are
	@echo "Programs are in $(B)/bin: xinglin llm-convert llm-cli llm-chat"
	@echo "Next: make demo (drafts a discharge record), make test, make help"

setup: ## install Debian packages that the build needs (asks sudo unless root)
	@scripts/setup build

build: setup ## configure and compile build/release
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset release

demo: build ## fetch a small model, start the clinic with synthetic episodes, draft a discharge record
	@scripts/setup demo
	@scripts/demo

test: ## every test, with its own set-up; ends with "N passed, N failed, N skipped"
	@scripts/test

kernels: build ## prove and time every kernel: make kernels ARGS="--function matmul --bench"
	@$(B)/bin/kernels $(ARGS)

bench: build ## beside the peers, into bench/results: make bench Q=1 (minutes), ARGS="-m FILE" (us only)
	@Q="$(Q)" scripts/bench $(ARGS)

accuracy: build ## perplexity against libllama on 100 chunks, written to bench/results
	@scripts/accuracy

fuzz: ## coverage-guided fuzzing: make fuzz T=gguf S=60
	@scripts/setup test
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target fuzz_$(T)
	@scripts/fuzz $(T) $(S)

format: ## clang-format every C file
	@scripts/setup test
	@git ls-files '*.c' '*.h' | xargs clang-format -i

tidy: ## the style rules as a test
	@scripts/setup test
	@python3 tests/tidy/check_tidy.py

asan tsan: ## unit tests under AddressSanitizer+UBSan / ThreadSanitizer
	@scripts/setup test
	@cmake --preset $@ >/dev/null && cmake --build --preset $@ && ctest --preset $@

wheel: ## the Python package for other machines, into build/wheels
	@scripts/setup build
	@scripts/wheel

deb: setup ## Debian packages of library, commands and service, into build/deb/packages
	@scripts/deb

install: build ## install to PREFIX (default /usr/local)
	@cmake --install $(B) --prefix $(PREFIX)

clean: ## remove build/
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z ]*:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
