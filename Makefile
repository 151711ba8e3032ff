# `make` prints what it can do. Everything Python lives in .venv; nothing is installed anywhere else.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp

# CONTEXT=name uses that context of your kubeconfig instead of a cluster of our own; PROVIDER=kind asks for kind.
# A KUBECONFIG in the environment is never taken for permission to use its cluster.
export CONTEXT PROVIDER

HACK := PYTHONPATH=hack $(BIN)/python -m
CONTROLPLANE := $(HACK) controlplane
MIXIN := $(HACK) mixin
PYTEST := $(BIN)/pytest -m "not soak"

.PHONY: help
help: ## print this
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  CONTEXT=name    use that kubeconfig context instead of a cluster of our own"
	@echo "  PROVIDER=kind   use kind in a Docker engine instead"

.PHONY: venv
venv: $(STAMP) ## create .venv with every pinned dependency

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

.PHONY: cluster-up
cluster-up: $(STAMP) ## start a Kubernetes API server (first build about 6 minutes, then seconds)
	@$(CONTROLPLANE) up

.PHONY: cluster-down
cluster-down: $(STAMP) ## stop it and leave nothing behind
	@$(CONTROLPLANE) down

.PHONY: cluster-env
cluster-env: $(STAMP) ## print the exports that point a shell at it
	@$(CONTROLPLANE) env

.PHONY: crds
crds: $(STAMP) ## write crds/ from the API's models
	$(BIN)/python -m drover.api.crd crds/

.PHONY: dashboards
dashboards: $(STAMP) ## write monitoring/ (rules, dashboards) and docs/metrics.md from their code
	$(BIN)/python -m drover.observe.reference docs/metrics.md
	$(MIXIN)

.PHONY: chart
chart: $(STAMP) ## write the chart's generated parts and its README
	$(HACK) chart

.PHONY: reference
reference: $(STAMP) ## write docs/reference/ (API, command line) from the code
	$(HACK) reference

.PHONY: states
states: $(STAMP) ## draw the state machines into docs/concepts/states.md
	$(HACK) statemachines docs/concepts/states.md

.PHONY: version
version: $(STAMP) ## write the version of operator/drover/__init__.py wherever else it is told
	$(HACK) version

.PHONY: pictures
pictures: $(STAMP) ## draw the dashboards from a running operator into docs/images (5 minutes)
	$(BIN)/python hack/pictures.py

.PHONY: monitoring-tools
monitoring-tools: $(STAMP) ## have promtool and prometheus at hand: those on PATH, else Debian's in a cache
	$(MIXIN) --tools

.PHONY: lint
lint: $(STAMP) ## style, types, layers, and that what is generated is as generated
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m drover.api.crd --check crds/
	$(BIN)/python -m drover.observe.reference --check docs/metrics.md
	$(MIXIN) --check
	$(HACK) chart --check
	$(HACK) version --check
	$(HACK) reference --check
	$(HACK) statemachines --check docs/concepts/states.md

.PHONY: workflows
workflows: $(STAMP) ## check .github/workflows
	$$($(HACK) gotools actionlint)

.PHONY: unit
unit: $(STAMP) ## unit and property tests
	$(PYTEST) tests/unit tests/control

.PHONY: simulation
simulation: $(STAMP) ## the whole system in virtual time, by seed
	$(PYTEST) -n 2 tests/simulation

.PHONY: integration
integration: $(STAMP) ## tests against a real API server (two, side by side, but for CONTEXT=)
	$(PYTEST) -n $(if $(CONTEXT),0,2) --dist loadfile tests/integration

.PHONY: test
test: unit simulation integration ## all tests but the soak

.PHONY: soak
soak: $(STAMP) ## the long tests
	$(BIN)/pytest -m soak -n 2 tests

.PHONY: image
image: $(STAMP) ## build the operator's image, and save it for a node (dist/images.tar)
	$(HACK) image --out dist/images.tar

.PHONY: e2e
e2e: image ## install the chart with Helm into a real node and work with the operator in its pod (root, or PROVIDER=kind)
	$(HACK) node run --images dist/images.tar -- $(BIN)/pytest -m e2e tests/e2e

.PHONY: docs
docs: $(STAMP) ## build the documentation's site (dist/site)
	$(BIN)/mkdocs build --strict --site-dir dist/site

.PHONY: dist
dist: $(STAMP) ## what a release consists of, but for the image: chart, manifests, wheel
	rm -rf build && mkdir -p dist
	$(BIN)/pip wheel -q --no-deps --wheel-dir dist .
	$$($(HACK) gotools helm) package charts/drover --destination dist
	$$($(HACK) controlplane kubectl) kustomize config/base > dist/install.yaml
	$$($(HACK) controlplane kubectl) kustomize crds > dist/crds.yaml

.PHONY: demo
demo: $(STAMP) ## a data centre on a real API server, one host drained live (KEEP=1 leaves it up)
	$(BIN)/python hack/demo.py

.PHONY: bench
bench: $(STAMP) ## benchmarks (two want the path of a trace, one a cluster with VMs, and say so)
	for bench in benchmarks/bench_*.py; do echo "== $$bench"; PYTHONPATH=hack:tests/integration $(BIN)/python $$bench; done

.PHONY: bench-placement
bench-placement: $(STAMP) ## placement over all hosts, against a plain loop
	$(BIN)/python benchmarks/bench_placement.py

.PHONY: clean
clean: ## stop the cluster, remove .venv and everything generated
	if [ -x $(BIN)/python ] && [ -d .cache/cluster ]; then $(CONTROLPLANE) down; fi
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist operator/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
