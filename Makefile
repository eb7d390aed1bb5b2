# Commands of this repository, implemented in scripts/.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test test-fast compat coverage check bench storm deploy-test hosts screenshots format hooks messages openapi docs lock clean

# Keep byte code with all other generated files, in var/.
export PYTHONPYCACHEPREFIX := $(CURDIR)/var/pycache
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

setup: ## Install the development tools into .venv
	@scripts/setup.sh dev

run: ## Start the demo shop on this machine (PORT=8000)
	@scripts/setup.sh
	@.venv/bin/python -m scripts.run

test: setup ## Run all tests on SQLite and PostgreSQL, including crash and browser tests
	@.venv/bin/python -m scripts.test

test-fast: setup ## Run up to a minute of tests on SQLite, changed code first (ARGS="-k refund -x")
	@.venv/bin/python -m scripts.fast $(ARGS)

compat: setup ## Run the unit tests on the other Pythons of this machine (3.11 to 3.13)
	@.venv/bin/python -m scripts.compat

coverage: setup ## Report line and branch coverage of the tests on SQLite
	@.venv/bin/python -m scripts.coverage

check: setup ## Check format, lint, types, layers, migrations, settings, templates
	@.venv/bin/python -m scripts.check

bench: setup ## Measure orders, reads and webhooks against a minimal baseline (OPTIONS=--grown: with 200,000 orders; OPTIONS=--against-oscar)
	@.venv/bin/python -m bench $(OPTIONS)

storm: setup ## Stress tests: random orders, failing provider endpoints, faults and process kills (ROUNDS=100 SEED=1)
	@.venv/bin/python -m scripts.storm

deploy-test: setup ## Follow docs/deployment.md on an empty server: install, sell, upgrade, stop (as root on Linux; ARGS=units)
	@.venv/bin/python -m scripts.deploy_test $(ARGS)

format: setup ## Format the code and apply the linter's fixes
	@.venv/bin/python -m ruff format --quiet
	@.venv/bin/python -m ruff check --fix

hosts: setup ## Run the shop on several hosts, in network namespaces, while parts of it fail (Linux, root)
	@.venv/bin/python -m scripts.hosts $(OPTIONS)

hooks: setup ## Let git run the checks on the files of each commit (pre-commit)
	@.venv/bin/python -m pre_commit install

messages: setup ## Collect the texts for translators into locale/django.pot
	@.venv/bin/python -m scripts.messages

openapi: setup ## Write the API description generated from the code to docs/openapi.yaml
	@.venv/bin/python -m scripts.openapi write

docs: setup ## Build the documentation as a site in var/site (OPTIONS=--serve: and serve it)
	@.venv/bin/python -m scripts.docs $(OPTIONS)

lock: setup ## Lock the packages of production with hashes, in requirements.lock
	@.venv/bin/python -m scripts.lock

clean: ## Delete var/: local database, emails, logs and caches
	@rm -rf var

screenshots: setup ## Take screenshots of a purchase into docs/screenshots
	@.venv/bin/python -m scripts.screenshots
