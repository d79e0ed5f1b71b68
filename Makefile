# `make run` starts Greenroom, `make test` tests it. Both install what they need into $(VENV).
# Other targets: test-long (the tests that `make test` leaves out: docs/CONTRIBUTING.md), check (style and types of
# Python, JavaScript and CSS), faults (tests that break real processes; they write tests/faults/results.md), bench
# (benchmarks), mutants (puts small faults into the sources, and counts those that the tests notice;
# ARGS="--number 20 --seed 3 media/protocols"), lock (locks of the dependencies), vendor (browser libraries), messages
# (collects the texts to translate; ARGS=fr begins a language), clean.

VENV ?= .venv
BIN := $(VENV)/bin
SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: run test test-long check faults bench mutants lock vendor joined protocol docs messages clean

run: $(VENV)/.run
	@exec $(BIN)/greenroom serve $(ARGS)

# Three tests run at a time on two cores, because they wait for a third of their time. With four, tests on slow machines
# exceed their time limits. `make check` runs beside the first tests, and ends the run if it finds something. In a new
# clone, the tools for scripts are installed before, because some tests need them, and one process compiles the tests
# before three use them.
test: $(VENV)/.test
	@.ci/programs chromium coturn iproute2 janus node prometheus systemd
	@tests/javascript/install $(VENV) || true
	@$(MAKE) --no-print-directory check & checking=$$!; \
	ls tests/__pycache__/conftest.*pytest* >/dev/null 2>&1 || \
	    $(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1; \
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS) & testing=$$!; \
	wait $$checking || { kill -INT $$testing; wait $$testing; exit 1; }; \
	wait $$testing

# One of the peers of a visit, werift, is installed with the tools for scripts.
test-long: $(VENV)/.test
	@.ci/programs chromium coturn firefox gstreamer iproute2 janus node prometheus proxies systemd
	@tests/javascript/install $(VENV)
	@$(BIN)/python -m pytest -m long --numprocesses 3 --dist worksteal $(ARGS)

# The tests run one at a time, because they measure times.
faults: $(VENV)/.test
	@.ci/programs chromium containers firefox gstreamer iproute2 prometheus
	@GREENROOM_FAULTS=all $(BIN)/python -m pytest tests/faults tests/journeys/peers $(ARGS)

# Checks the scripts and the Python files at the same time.
check: $(VENV)/.test
	@tests/javascript/check $(VENV) & scripts=$$!; \
	$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy; python=$$?; \
	wait $$scripts && exit $$python

bench: $(VENV)/.test
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# Runs in a copy of this folder, with a low priority (nice), so that other programs are not delayed.
mutants: $(VENV)/.test
	@$(BIN)/python -m tests.mutants.run $(ARGS)

# Makes the virtual environment with the first Python of this list that the machine has.
$(VENV)/bin/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "Greenroom needs Python 3.11 or newer: install it (Debian, Ubuntu: apt install python3 python3-venv)." >&2; exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	    version=$$($$found -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
	    echo "This Python cannot make virtual environments: install $$version-venv (Debian, Ubuntu: apt install $$version-venv)." >&2; exit 1; \
	fi; \
	echo "Setting up $(VENV) ..."; $$found -m venv $(VENV)

# Installs the locked packages, whose hashes are checked, and then Greenroom from this folder, without a registry.
INSTALL = $(BIN)/python requirements/install.py

$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) requirements/run.txt --editable .
	@touch $@

$(VENV)/.test: requirements/build.txt requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) requirements/dev.txt --editable .
	@touch $@ $(VENV)/.run

# Makes locks for every supported Python and platform. With LOCK=--upgrade, packages get newer versions.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK)

lock:
	@$(COMPILE) --group dev --extra tracing --output-file requirements/dev.txt
	@$(subst pyproject.toml,,$(COMPILE)) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(COMPILE) --group build --constraints requirements/dev.txt --output-file requirements/run.txt
	@$(COMPILE) --group build --extra tracing --constraints requirements/dev.txt --output-file requirements/tracing.txt

# Takes the README's pictures of a real visit.
pictures: $(VENV)/.test
	@.ci/programs chromium
	@$(BIN)/python -m tests.pictures.take

vendor: $(VENV)/.test
	@$(BIN)/python tests/vendor/refresh.py

# Joins the scripts and style sheets of each page into one file, by esbuild, which only developers need.
joined: $(VENV)/bin/python
	@tests/javascript/install $(VENV)
	@node tests/javascript/join.mjs

# Writes the reference at the end of PROTOCOL.md from the message types.
protocol: $(VENV)/.test
	@$(BIN)/python -m tests.signalling.protocol.write_reference

# Writes the parts of the documents in docs/ that are made from the code.
docs: $(VENV)/.test joined
	@$(BIN)/python -m tests.docs.write

messages: $(VENV)/.run
	@$(BIN)/python -m web.languages.messages $(ARGS)

clean:
	@rm -rf $(VENV) tests/javascript/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
