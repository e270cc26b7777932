# make demo · make test: each does its own set-up. `make help` lists the rest.
.DEFAULT_GOAL := help
PY := .venv/bin/python
SCRIPTS := deploy/examples/release.sh tools/setup tools/root tools/test .ci/run deploy/debian/build deploy/debian/inside deploy/debian/config deploy/debian/postinst \
	deploy/debian/prerm deploy/debian/postrm

.PHONY: help setup fmt lint types unit rules check test system system-trixie demo bench soak faults fuzz simulation docs deb deb-trixie clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## .venv and what Debian has to give
	@tools/setup

fmt: setup  ## format, and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lint: setup  ## ruff, codespell, shellcheck
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/codespell README.md CHANGELOG.md docs watcher rules tests deploy benchmarks
	@shellcheck $(SCRIPTS)

types: setup  ## mypy, strict
	@.venv/bin/mypy

unit: setup  ## the core and the configuration only, in seconds
	@$(PY) -m pytest -q tests/core tests/config

rules: setup  ## the rules' own tests, the shipped examples and scenarios
	@.venv/bin/watcher check rules/*.yaml deploy/examples/*.yaml
	@.venv/bin/watcher rules test deploy/examples/scenarios/*.yaml

check: lint types rules  ## everything that runs no program of ours

test: check  ## all checks and all tests
	@tools/test

system: setup  ## the stories on a booted Debian 12, which it makes and installs the package on (as root)
	@WATCHER_TEST_SYSTEM=required $(PY) -m pytest -q tests/system

system-trixie: setup  ## the same on Debian 13
	@WATCHER_TEST_SYSTEM=required WATCHER_TEST_DEBIAN=trixie $(PY) -m pytest -q tests/system

demo: setup  ## one release from end to end, in a temporary directory
	@$(PY) -m tools.demo

bench: setup  ## the figures of the README, as ratios
	@$(PY) -m benchmarks

soak: setup  ## an hour (SOAK_SECONDS=3600) under load, with rotations, releases and kills; then everything must add up
	@$(PY) -m tests.soak --seconds $(or $(SOAK_SECONDS),3600)

faults: setup  ## the long form of the fault tests: 1,000 kills, 500 damaged journal files, 100,000 instances, every call of the disk
	@WATCHER_TEST_KILLS=1000 WATCHER_TEST_DAMAGED=500 WATCHER_TEST_INSTANCES=100000 WATCHER_TEST_CUTS=all $(PY) -m pytest -q tests/faults

fuzz: setup  ## coverage-guided fuzzing, FUZZ_SECONDS (60) for each target; fetches atheris
	@test -d .cache/atheris/atheris || $(PY) -m pip install --quiet --disable-pip-version-check --target .cache/atheris 'atheris==3.0.0'
	@PYTHONPATH=.cache/atheris $(PY) -m tests.fuzz

simulation: setup  ## the core in worlds made from seeds: SIMULATION_RUNS (100000) of them from SIMULATION_SEED (1) on
	@$(PY) -m tests.simulation --runs $${SIMULATION_RUNS:-100000} --seed $${SIMULATION_SEED:-1}

docs: setup  ## regenerates the diagram, the schema and the help in the docs
	@$(PY) -m tools.docs

deb: setup  ## the Debian package for Debian 12, built in a root of its own (as root); prints where it is
	@deploy/debian/build bookworm

deb-trixie: setup  ## the same for Debian 13
	@deploy/debian/build trixie

clean:  ## takes away what the targets made
	@for root in .cache/machines/*/root; do while mountpoint -q "$$root"; do umount --lazy "$$root"; done; done
	@rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
