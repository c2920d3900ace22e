# The commands of ecgtl; 'make' alone lists them. Lines with two number signs are what it shows.
#
## Variables, e.g. 'make book PYTHON=python3.12':
##   PYTHON       the Python that .venv is made with, 3.11 or later (python3)
##   TORCH_INDEX  address of a pip index for PyTorch alone. On Linux the default index serves the CUDA build,
##                about 3 GB; without a GPU take the index for CPUs that pytorch.org names under 'Get started'
##   TIER         tier of 'make results' and sweep: demo, reduced or paper (reduced), of gpu-pack and gpu-runs (paper)
##   EXPERIMENTS  experiments of 'make sweep', e.g. "weimann2021-table1 weimann2021-table2"
##   PROFILE      of 'make sweep': local, slurm or a folder with a profile of your own (local)
##   DATASETS     data sets of 'make data' (cinc2017) and 'make gpu-pack' (those that the queue's first runs need)
##   THEMES       of 'make site-check' (light dark)
##   WIDTHS       of its windows, in pixels (1300 768 390)
##   PROCESSES    test processes side by side (3: many of them wait), or those that share the GPU (4)
##   MINUTES      time of 'make gpu-runs', which needs no .venv: PYTHON has PyTorch (12)
##   OUT          folder of its archives (build/gpu/out)
##   COMMIT       what git calls the checkout that a copy without git was made of

PYTHON      ?= python3
TORCH_INDEX ?=
TIER        ?= reduced
EXPERIMENTS ?=
PROFILE     ?= local
DATASETS    ?= cinc2017
PROCESSES   ?= 3
THEMES      ?= light dark
WIDTHS      ?= 1300 768 390
MINUTES     ?= 12
OUT         ?= $(GPU)/out
COMMIT      ?=

PY := .venv/bin/python
GPU := build/gpu
# Made again when what the environment stands on changes: the lock, the package's metadata, its own place
STAMP := .venv/made-of-$(firstword $(shell { pwd -P; cat requirements.lock pyproject.toml; } | cksum))
# One thread for each test process: more would only wait for each other
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n $(PROCESSES) --dist loadscope --timeout 600 --durations 20 --durations-min 5

export TORCH_INDEX
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export JUPYTER_PREFER_ENV_PATH := 1
unexport PYTHONPATH PYTHONHOME PIP_USER

.PHONY: help env lint book test site-check training cluster data results dist sweep sweep-env gpu-pack gpu-runs status bench links lock clean
.DELETE_ON_ERROR:

help:
	@awk '/^##/ {print substr($$0, 4)}' Makefile; echo; echo "Commands:"; \
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

env: $(STAMP)  ## make the environment .venv from requirements.lock (the others do so themselves)

$(STAMP):
	@command -v "$(PYTHON)" >/dev/null || \
	{ echo "ecgtl needs Python 3.11 or later and finds no '$(PYTHON)'; name one: make PYTHON=python3.12" >&2; \
	exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version.split()[0]; sys.exit(None if sys.version_info >= (3, 11) else \
	"ecgtl needs Python 3.11 or later, $(PYTHON) is " + v + "; name another: make PYTHON=python3.12")'
	@echo "[1/3] environment .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv --clear .venv
	@echo "[2/3] packages of requirements.lock"
	@if [ -n "$(TORCH_INDEX)" ]; then \
	$(PY) -m pip install --no-deps --index-url "$(TORCH_INDEX)" "$$(grep '^torch==' requirements.lock)"; fi
	@$(PY) -m pip install -r requirements.lock
	@echo "[3/3] ecgtl itself, from this folder"
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@$(PY) -m pip check
	@touch $@

lint: env  ## style, types, layers and spelling, by the rules of pyproject.toml
	$(PY) -m ruff check
	$(PY) -m mypy
	.venv/bin/lint-imports
	.venv/bin/codespell

book: env  ## run the notebooks of tier demo and build the site
	$(PY) -m ecgtl site

test: env  ## all tests but those in a browser and on a cluster, then all notebooks cell by cell, whether the tests pass or not
	$(PYTEST) -m 'not site and not cluster' tests; tests=$$?; \
	$(PYTEST) --no-loadscope-reorder --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks && exit $$tests

site-check: env  ## the site of the stored notebooks, looked at in an installed Chromium; prints its figures
	$(PY) -m ecgtl site --stored
	ECGTL_SITE=build/stored/html ECGTL_SITE_THEMES="$(THEMES)" ECGTL_SITE_WIDTHS="$(WIDTHS)" \
	$(PYTEST) --dist worksteal -m site tests/site

cluster: env sweep-env  ## the tests of sweeps on a SLURM that they start, by themselves on the machine; about three minutes
	OMP_NUM_THREADS=1 $(PY) -m pytest --timeout 600 tests/cluster tests/commands/test_sweep.py

training: env  ## the tests that train networks in one process, as a processor that has AVX2 alone runs them
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(PYTEST) -m training --ignore tests/training/test_distributed.py tests

data: env  ## fetch and check the data sets named in DATASETS, into ECGTL_DATA
	set -e; for name in $(DATASETS); do $(PY) -m ecgtl data fetch $$name; $(PY) -m ecgtl data check $$name; done

results: env  ## run what is missing of all experiments, the most valuable first, until it is stopped
	$(PY) -m ecgtl queue --tier $(TIER)

dist: env  ## wheel and sdist of the commit, in build/dist; from a copy, which has nothing of earlier builds
	rm -rf build/dist build/dist-source && mkdir -p build/dist build/dist-source
	git archive HEAD | tar -x -C build/dist-source
	cd build/dist-source && "$(CURDIR)/$(PY)" -c "from setuptools import build_meta as made; \
	print('build/dist:', made.build_sdist('../dist'), made.build_wheel('../dist'))"

sweep: env sweep-env  ## run what is missing of EXPERIMENTS by Snakemake, on a cluster or here; goes on where it stopped
	PATH="$(CURDIR)/build/sweep-env/bin:$$PATH" $(PY) -m ecgtl sweep $(EXPERIMENTS) --tier $(TIER) --profile $(PROFILE)

sweep-env: build/sweep-env/made  ## make the environment of Snakemake (sweep does so itself)

build/sweep-env/made: workflow/requirements.lock
	@echo "environment build/sweep-env: packages of workflow/requirements.lock"
	@"$(PYTHON)" -m venv --clear build/sweep-env
	@build/sweep-env/bin/python -m pip install --quiet -r workflow/requirements.lock
	@touch $@

gpu-pack gpu-runs: TIER = paper
gpu-pack: DATASETS = cinc2017 mitdb qtdb
gpu-pack: env  ## the recordings of the queue's first runs as small files, for a GPU on a machine without network
	$(PY) -m ecgtl data pack $(GPU)/data $(DATASETS) --tier $(TIER)

gpu-runs: PROCESSES = 4
gpu-runs:  ## run what fits into MINUTES on the GPU of such a machine; results as archives in OUT
	mkdir -p $(GPU)/results; cp -ru results/. $(GPU)/results  # not results/: what is brought there may replace it
	PYTHONPATH=. ECGTL_DATA=$(GPU)/data ECGTL_CACHE=$(GPU)/cache ECGTL_RESULTS=$(GPU)/results ECGTL_COMMIT=$(COMMIT) \
	"$(PYTHON)" -m ecgtl queue --tier $(TIER) --minutes $(MINUTES) --processes $(PROCESSES) --out $(OUT)

status: env  ## what has been run of every experiment, and what is pending
	@$(PY) -m ecgtl status

bench: env  ## speed, as ratios against the plain way of doing the same
	$(PY) -m benchmarks

links: book  ## whether the addresses that the site names still answer (needs the internet)
	.venv/bin/jupyter-book build book --config _config.yml --toc "$(CURDIR)/_toc.yml" --path-output build/links \
	--builder linkcheck

lock:  ## newest versions within pyproject.toml's ranges into requirements.lock and environment.yml
	"$(PYTHON)" tools/lock.py

clean:  ## remove what make made: .venv, the built site, results of tier demo
	rm -rf .venv build ecgtl.egg-info .*_cache book/_build book/notebooks book/downloads results/demo
	find ecgtl tests tools benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +
