# The commands of this project. All it needs is Python 3.11 or newer; what each command needs besides, it installs or names.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test fast check demo bench clean python

help: ## Show this help
	@echo "Sheaf: many logins, one identity. Commands:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-14s %s\n' "$$name" "$$what"; done

run: python ## Start the identity provider (port 8000) and the companion API (port 8001) with their data in ./data
	@$(PYTHON) scripts/make_venv.py
	@exec $(BIN)/idp run --data data

# One more than there are cores: many tests wait for servers and browsers.
WORKERS = $(shell $(BIN)/python -c "import os; print(min(4, 1 + (os.cpu_count() or 1)))")

# The tests start Python some hundred times: compiled once, and outside the tree, it starts in half the time.
test: python ## Install what the tests need, then run all of them
	@$(PYTHON) scripts/prepare_tests.py
	@env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX="$(CURDIR)/.venv/bytecode" \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

fast: python ## Run the tests that start no servers
	@$(PYTHON) scripts/make_venv.py test dev
	@$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

check: python ## Lint, formatting, types and the directions of imports
	@$(PYTHON) scripts/make_venv.py test dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: python ## Start everything with an upstream, an OIDC app and a SAML app to click through
	@$(PYTHON) scripts/make_venv.py
	@exec $(BIN)/python demo/run.py $(ARGS)

bench: python ## Print cold start, memory, page size and speed (nothing is asserted)
	@$(PYTHON) scripts/make_venv.py test
	@$(BIN)/python benchmarks/run.py $(ARGS)

clean: ## Remove what the commands made, except ./data
	rm -rf .venv build dist test-artifacts .pytest_cache .mypy_cache .ruff_cache .import_linter_cache tests/peers/js/node_modules demo-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Sheaf needs Python 3.11 or newer, and there is none on the PATH. If it is elsewhere: make PYTHON=/path/to/python3 …"; exit 1; }
