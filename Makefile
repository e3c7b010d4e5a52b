# make, or make help, lists what there is.
SPEED ?= 10
N ?= 100000
MINUTES ?= 60
python := .venv/bin/python
# Tests that measure, or that have so many seconds for what they wait for.
alone := tests/worker tests/node/test_guard_cost.py tests/node/test_large.py tests/test_story.py

.PHONY: help setup demo test lab test-openclaw test-ui lint joe.pyz lock clean soak soak-terms bench release

help:  ## this list
	@sed -n 's/^\([a-z.-]*\):.*## /  make \1 \t/p' Makefile | expand -t 24

setup:  ## Debian packages, .venv and the pinned requirements; the others do it by themselves
	@deployments/setup.sh

demo: setup  ## the three machines on loopback with a real Prefect: a failure, a failover, a failback (SPEED=10)
	@$(python) -m deployments.demo --speed $(SPEED)

test: lint  ## ruff, mypy --strict, and all tests in a random order whose seed is printed
	@$(python) -m tests.lab.cache
	@echo "test: pytest, in a random order; for the same one again add the --randomly-seed=... printed below"
	@failed=0; \
	$(python) -m pytest -n 2 --dist loadfile $(patsubst %,--ignore=%,$(alone) tests/lab) || failed=1; \
	echo "test: now those that keep to a time, with nothing beside them"; \
	$(python) -m pytest $(alone) || failed=1; \
	echo "test: now those on three systemd hosts"; \
	$(python) -m pytest tests/lab || failed=1; \
	exit $$failed

lab: setup  ## only the tests on three systemd hosts, each with what it measured (root)
	@$(python) -m tests.lab.cache
	@$(python) -m pytest -rP tests/lab

test-openclaw: setup  ## only the tests on three systemd hosts with the real OpenClaw (root, npm)
	@$(python) -m tests.lab.cache
	@$(python) -m pytest -rP -m openclaw tests/lab

test-ui: setup  ## only the forms of Prefect's UI, filled in by a headless Chromium (apt-get install chromium)
	@DUALJOE_UI=1 $(python) -m pytest -rP tests/ui

lint: setup  ## ruff and mypy --strict
	@echo "lint: ruff" && $(python) -m ruff check --quiet .
	@echo "lint: mypy --strict" && $(python) -m mypy --strict

joe.pyz: setup  ## the one file that runs on every machine
	@$(python) -m deployments.build_node $@

soak: setup  ## an hour of random kills on the demo's machines, and what must hold (SPEED, MINUTES=60, SEED)
	@$(python) -m tests.soak --speed $(SPEED) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

soak-terms: setup  ## N random fault schedules against the term protocol (N=100000)
	@$(python) -m tests.node.term_sim --schedules $(N)

bench: setup  ## measure what it costs and how quick it is, 45 minutes, into docs/benchmarks.md
	@$(python) -m tests.bench $(BENCH)

release: setup  ## sdist, wheel and joe.pyz of a tagged version, into dist/
	@deployments/release.sh

lock:  ## renew requirements.lock
	@deployments/setup.sh lock

clean:  ## remove what the others made here
	rm -rf .venv .demo .soak .lab joe.pyz build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
