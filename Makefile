# The commands of this repository. The work itself is done in scripts/.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test test-fast coverage check bench storm screenshots format hooks messages clean

# Byte code lies with everything else that is written here, below var/.
export PYTHONPYCACHEPREFIX := $(CURDIR)/var/pycache
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

setup: ## Install everything that work on the shop needs into .venv
	@scripts/setup.sh dev

run: ## Start the whole shop on this machine (PORT=8000)
	@scripts/setup.sh
	@.venv/bin/python -m scripts.run

test: setup ## Run all tests, on SQLite and on PostgreSQL, with crashes and browsers
	@.venv/bin/python -m scripts.test

test-fast: setup ## Run a minute of tests on SQLite, those of what changed first (ARGS="-k refund -x")
	@.venv/bin/python -m scripts.fast $(ARGS)

coverage: setup ## Tell which lines and branches the tests on SQLite pass through
	@.venv/bin/python -m scripts.coverage

check: setup ## Check format, lint, types, layers, migrations, settings, templates
	@.venv/bin/python -m scripts.check

bench: setup ## Measure what orders, looks and webhooks cost beside a bare minimum
	@.venv/bin/python -m bench

storm: setup ## Random lives of orders, failing endpoints, then buyers, faults and kills against real processes (ROUNDS=100 SEED=1)
	@.venv/bin/python -m scripts.storm

format: setup ## Format the code and repair what the linter can
	@.venv/bin/python -m ruff format --quiet
	@.venv/bin/python -m ruff check --fix

hooks: setup ## Let git run the checks on the files of each commit (pre-commit)
	@.venv/bin/python -m pre_commit install

messages: setup ## Collect the texts for translators into locale/django.pot
	@.venv/bin/python -m scripts.messages

clean: ## Remove var/: database, mails, logs, caches of this machine
	@rm -rf var

screenshots: setup ## Picture every page of one purchase into docs/screenshots
	@.venv/bin/python -m scripts.screenshots
