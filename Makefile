# Vigil: everything a newcomer, a developer and CI runs. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEB := cloud/web
STATIC := cloud/vigil_cloud/static/index.html
ASYNCAPI := tests/schemas/asyncapi
ARGS ?=
# A third of the time of a test is waiting for servers and sensors: five at a time keep two
# processors busy.
WORKERS ?= 5
# What installs quietly may take minutes on a slow line: a word every ten seconds, until it ends.
# `$$$$` is the recipe's own shell, so nothing goes on speaking when that has been killed.
SAY_MEANWHILE = { n=0; while sleep 1 && kill -0 $$$$ 2>/dev/null; do n=$$((n + 1)); \
	[ $$((n % 10)) != 0 ] || echo "vigil: … $$n s, still $(1)"; done; } & beat=$$!; trap "kill $$beat 2>/dev/null" EXIT;

# A database that syncs each commit makes a test wait for the disk a thousand times. What tests write
# lies in memory where there are 4 GB of it; of failed ones it is left, and swept by the next run.
MEMORY ?= /dev/shm
IN_MEMORY = memory=; if [ -d "$(MEMORY)" ] && [ -w "$(MEMORY)" ] && [ "$$(df -Pk "$(MEMORY)" | awk 'NR == 2 {print $$4}')" -gt 4000000 ]; then \
	find "$(MEMORY)" -maxdepth 1 -name 'vt.*' -user "$$(id -u)" -mmin +300 -exec rm -rf {} + ; \
	memory="$$(mktemp -d "$(MEMORY)/vt.XXXX")"; chmod 711 "$$memory"; fi;
# Matrices here are small: threads of a linear algebra library would spin beside each other.
ONE_THREAD = OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# pytest rewrites the assertions of each module that it meets for the first time. In a fresh checkout
# all workers would do that at once, each for all modules: two do it before, each for its half.
IS_FRESH = [ -z "$$(find tests/__pycache__ -name 'conftest*-pytest-*.pyc' 2>/dev/null)" ]
HALVES = "tests/cloud" "tests --ignore=tests/cloud"
REWRITE = printf '%s\n' $(HALVES) | $(ONE_THREAD) xargs -P 2 -L 1 $(BIN)/python -m pytest --collect-only -q -p no:cacheprovider >/dev/null 2>&1
# Images and CI machines often forbid Python to keep what it compiled. Then every process of ours
# (a city night is a dozen, the tests start hundreds) compiles all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup wheel deb image demo test check bench faults aarch64 schemas format clean
.DEFAULT_GOAL := help

help: ## What there is
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Virtual environment and built web pages, both at once
	@$(MAKE) --silent --no-print-directory --jobs=2 $(VENV)/.ready $(STATIC)

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "vigil: Python 3.11 or newer is needed; set PYTHON=..." >&2; exit 2; }
	@# Also one that was interrupted before pip was in it.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "vigil: making the virtual environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "vigil: installing Python packages (about a minute the first time)"
	@$(call SAY_MEANWHILE,installing Python packages) $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(WEB)/node_modules/.ready: $(WEB)/package.json $(WEB)/package-lock.json
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "vigil: Node 20 or newer is needed" >&2; exit 2; }
	@echo "vigil: installing web packages (about half a minute the first time)"
	@# npm does not hear Ctrl-C until it is done: it is killed. It begins anew each time anyway.
	@$(call SAY_MEANWHILE,installing web packages) cd $(WEB); npm ci --silent --no-audit --no-fund & npm=$$!; \
	trap "kill -9 $$npm $$beat 2>/dev/null" EXIT; wait $$npm
	@touch $@

$(STATIC): $(WEB)/node_modules/.ready $(shell find $(WEB)/src $(WEB)/public -type f 2>/dev/null) $(wildcard $(WEB)/*.html $(WEB)/*.ts)
	@echo "vigil: building the web pages"
	@cd $(WEB) && npm run --silent build -- --logLevel error
	@test -f $@ && touch $@

$(ASYNCAPI)/node_modules/.ready: $(ASYNCAPI)/package.json $(ASYNCAPI)/package-lock.json
	@echo "vigil: installing the AsyncAPI parser"
	@cd $(ASYNCAPI) && npm ci --silent --no-audit --no-fund
	@touch $@

wheel: setup ## A wheel with the web pages, and a small one for gateways, in dist/
	@rm -f dist/vigil_city-*.whl
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@$(BIN)/python docs/deployment/gateway_wheel.py dist/vigil_city-*-py3-none-any.whl

ARCH ?= $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
deb: wheel ## Debian packages of gateway and cloud, in dist/; ARCH=arm64 for a Raspberry Pi
	@$(BIN)/python docs/deployment/debian/build.py --wheel "$$(ls dist/vigil_city-*.whl | grep -v gateway)" --out dist --arch $(ARCH) $(ARGS)

image: ## A container image, by docker, podman or buildah; IMAGE=name:tag, ARGS for the engine
	@IMAGE="$(IMAGE)" docs/deployment/image $(ARGS)

demo: setup ## Play a city night on the embedded defaults; ARGS=--check to run it as a test
	@$(BIN)/vigil-sim demo $(ARGS)

test: ## All tests; what needs a missing system package is skipped with its name
	@$(MAKE) --silent --no-print-directory --jobs=2 $(VENV)/.ready $(STATIC) $(ASYNCAPI)/node_modules/.ready
	@cd $(WEB) && npm run --silent test
	@if $(IS_FRESH); then echo "vigil: compiling the tests"; $(REWRITE) || true; fi
	@echo "vigil: running the tests ($(WORKERS) at a time; WORKERS=0 for one after the other)"
	@$(IN_MEMORY) $(ONE_THREAD) $${memory:+env TMPDIR="$$memory"} $(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(ARGS) \
	|| { [ -z "$$memory" ] || echo "vigil: what the failed tests wrote is in $$memory" >&2; exit 1; }; \
	[ -z "$$memory" ] || rm -rf "$$memory"; echo "vigil: all tests passed"

check: setup ## Style, types, walls, drift
	@.ci/check

bench: setup ## Every figure that the project claims, printed as `name: value`
	@$(BIN)/python -m tests.bench $(ARGS)

aarch64: setup ## The gateway's packages in a Debian of aarch64, used; needs root, debootstrap, qemu-user-static
	@PYTHONPATH=tests $(BIN)/python -m aarch64

# Beside tests/faults: whatever has a long form of its own.
LONG = tests/cloud/alerts/test_plans.py tests/cloud/http/test_addresses.py tests/cloud/capacity/test_small_disk.py tests/cloud/test_http.py \
	tests/cloud/notify/test_progress.py tests/cloud/notify/test_escalation_progress.py \
	tests/cloud/identity/test_rights.py tests/cloud/identity/test_matrix.py \
	tests/cloud/identity/test_every_operation.py tests/edge/checkin/test_hostile_payloads.py \
	tests/cloud/smoke/test_floods.py tests/cloud/smoke/test_losses.py tests/cloud/smoke/test_returns.py \
	tests/cloud/alerts/test_flood.py \
	tests/e2e/test_compose.py tests/e2e/test_demo.py tests/e2e/test_journeys.py \
	tests/e2e/test_installed_gateway.py tests/e2e/test_debian.py \
	tests/edge/noise/test_align.py tests/edge/noise/test_two_cameras.py \
	tests/edge/noise/test_two_vehicles.py
faults: setup ## The long forms: 100,000 readings with everything killed at least ten times, and the like
	@VIGIL_FULL=1 $(BIN)/python -m pytest tests/faults $(LONG) -s $(ARGS)

schemas: $(VENV)/.ready ## Export JSON Schema, AsyncAPI, OpenAPI, the web client's types, docs/errors.md, docs/settings.md
	@$(BIN)/python -m vigil_schemas.export
	@PYTHONPATH=tests $(BIN)/python -m errors_page
	@PYTHONPATH=tests $(BIN)/python -m settings_page
	@cd $(WEB) && npm run --silent generate

format: setup ## Put Python and web sources into the house format
	@$(BIN)/ruff check --fix schemas edge cloud firmware-sim tests; $(BIN)/ruff format schemas edge cloud firmware-sim tests
	@cd $(WEB) && npm run --silent format

clean: ## Remove everything that was built
	rm -rf $(VENV) $(WEB)/node_modules $(ASYNCAPI)/node_modules cloud/vigil_cloud/static .mypy_cache .ruff_cache .pytest_cache
