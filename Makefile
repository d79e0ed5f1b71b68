# `make run` starts Greenroom, `make test` tests it; both set up what they need in $(VENV) and are quick the second time.
# Other targets: check (style and types of Python, JavaScript and CSS), faults (breaks real processes; writes tests/faults/results.md), bench, mutants (small faults
# put into the sources, and who notices; ARGS="--number 20 --seed 3 media/protocols"), lock (new dependency locks), vendor (browser libraries),
# messages (what there is to translate; ARGS=fr begins a language), clean.

VENV ?= .venv
BIN := $(VENV)/bin
SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: run test check faults bench mutants lock vendor joined protocol docs messages clean

run: $(VENV)/.run
	@exec $(BIN)/greenroom serve $(ARGS)

# Three at a time on two cores: a third of what the tests do is to wait. With four, slow machines reach limits of time.
# In a new clone, the tests are compiled beside the checks, on the core that is free: each of the three would do so.
test: $(VENV)/.test
	@ls tests/__pycache__/conftest.*pytest* >/dev/null 2>&1 || \
	    $(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1 & \
	$(MAKE) --no-print-directory check; checked=$$?; wait; exit $$checked
	@.ci/programs chromium coturn firefox gstreamer iproute2 janus node prometheus proxies systemd
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal $(ARGS)

# One test at a time: the figures are times.
faults: $(VENV)/.test
	@.ci/programs chromium firefox gstreamer
	@GREENROOM_FAULTS=all $(BIN)/python -m pytest tests/faults tests/journeys/peers $(ARGS)

# Scripts on one core, Python on the other.
check: $(VENV)/.test
	@tests/javascript/check $(VENV) & scripts=$$!; \
	$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy; python=$$?; \
	wait $$scripts && exit $$python

bench: $(VENV)/.test
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# In a copy of this folder, one at a time, behind whatever else runs here.
mutants: $(VENV)/.test
	@$(BIN)/python -m tests.mutants.run $(ARGS)

# The virtual environment, by the newest Python of ours that this machine has.
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

# Locked packages with their hashes first, then Greenroom itself from this folder, which asks no registry for anything.
INSTALL = $(BIN)/python requirements/install.py

$(VENV)/.run: requirements/build.txt requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) requirements/run.txt --editable .
	@touch $@

$(VENV)/.test: requirements/build.txt requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@$(INSTALL) requirements/dev.txt --editable .
	@touch $@ $(VENV)/.run

# New locks for every supported Python and platform. LOCK=--upgrade takes newer versions too.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK)

lock:
	@$(COMPILE) --group dev --extra tracing --output-file requirements/dev.txt
	@$(subst pyproject.toml,,$(COMPILE)) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	@$(COMPILE) --group build --constraints requirements/dev.txt --output-file requirements/run.txt
	@$(COMPILE) --group build --extra tracing --constraints requirements/dev.txt --output-file requirements/tracing.txt

# The README's pictures, taken anew from a real visit.
pictures: $(VENV)/.test
	@.ci/programs chromium
	@$(BIN)/python -m tests.pictures.take

vendor: $(VENV)/.test
	@$(BIN)/python tests/vendor/refresh.py

# The scripts and style sheets of each page in one file, made by esbuild; a tool of developers, no user needs it.
joined: $(VENV)/bin/python
	@tests/javascript/install $(VENV)
	@node tests/javascript/join.mjs

# The reference at the end of PROTOCOL.md, made of the message types.
protocol: $(VENV)/.test
	@$(BIN)/python -m tests.signalling.protocol.write_reference

# What the documents in docs/ hold of the code, made anew.
docs: $(VENV)/.test joined
	@$(BIN)/python -m tests.docs.write

messages: $(VENV)/.run
	@$(BIN)/python -m web.languages.messages $(ARGS)

clean:
	@rm -rf $(VENV) tests/javascript/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
