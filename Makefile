# make demo    set up, then show the main job end to end (no key, Python only; YES=1 answers for you)
# make test    set up, then everything that CI runs
# make check   the fast subset: style, types, layers, pure tests
# make nightly the same tests with larger counts, part by part (ONLY=WORD: those with it in their name)
# make bench   policy and admission, timed beside fixed yardsticks; with DATA=DIR verdicts over real data too
# make lock    compile the hash-locked requirements anew (needs uv)

PYTHON ?= $(shell command -v python3)
UV     ?= $(shell command -v uv)
BIN    := .venv/bin
YES    ?=
DATA   ?=
ONLY   ?=

# Releases younger than a week are not locked: a poisoned one is usually found within days.
COOLDOWN ?= $(shell date -u -d '7 days ago' +%F 2>/dev/null || date -u -v-7d +%F)
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
           --no-header --no-annotate --exclude-newer $(COOLDOWN) --extra demo --group build --quiet

# For what looks at no clock: it takes what the other tests leave of the cores while they wait.
IDLE := nice -n 19

# The tests start hundreds of processes: what one has compiled the next need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check nightly bench lint types layers histories others lock clean
.DELETE_ON_ERROR:

demo: .venv/runtime.stamp
	@$(BIN)/lamgate demo $(if $(YES),--yes)
	@du -sm .venv | awk '{print "installed size: " $$1 " MB"}'

test: .venv/dev.stamp
	@start=$$(date +%s); $(MAKE) --no-print-directory lint && \
	$(MAKE) --no-print-directory -j4 types layers histories others && \
	echo "make test: $$(( $$(date +%s) - start )) s after installation; $$(du -sm .venv | cut -f1) MB installed"

check: .venv/dev.stamp lint types layers
	@$(BIN)/pytest -n auto tests/architecture tests/check tests/fn tests/plan tests/run tests/suite

nightly: .venv/dev.stamp
	@$(BIN)/python -m benchmarks.nightly $(if $(ONLY),--only "$(ONLY)")

bench: .venv/dev.stamp
	@$(BIN)/python -m benchmarks.policy && $(BIN)/python -m benchmarks.admission_speed && $(BIN)/python -m benchmarks.calls
	@[ -z "$(DATA)" ] || $(BIN)/python -m benchmarks.admission --data "$(DATA)"

lint: .venv/dev.stamp
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

# Without workers of its own: these have three seconds to start, which is too few beside the tests.
types: .venv/dev.stamp
	@$(IDLE) $(BIN)/mypy

layers: .venv/dev.stamp
	@$(IDLE) $(BIN)/lint-imports --no-logo

histories: .venv/dev.stamp
	@$(IDLE) $(BIN)/pytest -n auto --dist loadscope tests/simulation

others: .venv/dev.stamp
	@$(BIN)/pytest -n auto --dist loadscope --no-loadscope-reorder --ignore tests/simulation

lock:
	@$(COMPILE) -o requirements/runtime.txt && $(COMPILE) --extra distributed --group dev -o requirements/dev.txt
	@uv pip compile requirements/composio-core.in --no-deps -c requirements/runtime.txt --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --exclude-newer $(COOLDOWN) --quiet -o requirements/composio-core.txt
	@for each in requirements/servers/*.in; do uv pip compile "$$each" --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --exclude-newer $(COOLDOWN) --quiet -o "$${each%.in}.txt" || exit 1; done

clean:
	@rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Plain pip by default; uv, where it is found, does the same faster. Wheels only: installing runs no code of a package.
.venv/%.stamp: requirements/%.txt pyproject.toml
	@echo "setting up .venv from requirements/$*.txt ..."; start=$$(date +%s); \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv || exit 1; \
	if [ -n "$(UV)" ]; then install="$(UV) pip install --quiet --python $(BIN)/python"; \
	else install="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; fi; \
	$$install --require-hashes --only-binary :all: -r requirements/$*.txt && \
	$$install --no-deps --no-build-isolation -e . && \
	echo "set up in $$(( $$(date +%s) - start )) s" && touch $@
