# Every target installs what it needs into .venv, with every version pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo setup test check format types bench bench-attention clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(VENV)/.all: $(VENV)/.core
	$(PIP) torch==2.13.0
	$(PIP) -e '.[all,dev]'
	touch $@

$(VENV)/.bench: $(VENV)/.all
	$(PIP) -e '.[all,dev,bench]'
	touch $@

setup: $(VENV)/.all  ## install everything: all extras and the tools for development

demo: $(VENV)/.core  ## index the docs and the small collection, ask three questions, evaluate (core only)
	rm -rf demo
	$(BIN)/ragembed index README.md docs datasets/loaders/primer/corpus.jsonl -o demo/docs.index
	$(BIN)/ragembed query "how should long documents be cut into chunks?" -i demo/docs.index -k 3
	$(BIN)/ragembed query "why does BM25 not grow without bound when a word repeats?" -i demo/docs.index -k 3
	$(BIN)/ragembed query "is the difference between two systems real?" -i demo/docs.index -k 3
	$(BIN)/ragembed eval --dataset primer --embedder onehot
	$(BIN)/ragembed eval --dataset primer --embedder tfidf
	$(BIN)/ragembed eval --dataset primer --embedder bm25

test: $(VENV)/.all  ## run the tests
	PYTHONSAFEPATH=1 $(BIN)/python -m pytest

check: $(VENV)/.all types  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.all  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Type checkers cannot follow the editable install's import hook, so they get a copy in the installed layout.
types: $(VENV)/.all  ## mypy --strict and pyright
	rm -rf build/types && mkdir -p build/types
	cp -R ragembed cli eval build/types/ && cp -R datasets/loaders build/types/datasets
	mv build/types/cli build/types/eval build/types/datasets build/types/ragembed/
	$(BIN)/mypy -p ragembed
	$(BIN)/pyright

run = for name in $(1); do $(BIN)/python -m ragembed.eval.bench.$$name || exit 1; done

bench: $(VENV)/.bench bench-attention  ## run the benchmarks against the peers (hours; glove also wants --theirs)
	$(call run,bm25 chunking compare concurrency elmo encoder encoder_start end_to_end explain filters identity indexing \
		kill long_documents measures memory minilm noop pooling published quality search significance spans startup sync testsets trec word2vec word_files \
		word_retrieval)

bench-attention: $(VENV)/.bench  ## measure attention, and draw the figures of docs/attention.md
	$(call run,attention hyper grouped streaming distributed attention_curves attention_figures)

clean:  ## remove what the targets made
	rm -rf demo build/types .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
