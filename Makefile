# genotransfer: `make` prints this help.
.DEFAULT_GOAL := help
SHELL := bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
STUDY ?= demo
ACCELERATOR ?= cpu
SEEDS ?= 1-20

.PHONY: help
help: ## Print this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

$(INSTALLED): requirements.lock pyproject.toml
	@tools/make_environment.sh $(PYTHON) $(VENV)
	@touch $@

.PHONY: setup
setup: $(INSTALLED) ## Make the environment .venv from requirements.lock

.PHONY: oracles
oracles: ## Install PLINK, bcftools, vcftools and bedtools (Debian or Ubuntu), which the tests compare with
	@tools/install_oracles.sh

.PHONY: run
run: $(INSTALLED) ## Run a study on this machine: make run, or make run STUDY=paper
	@$(BIN)/genotransfer run $(STUDY)

.PHONY: test
test: $(INSTALLED) oracles ## Run the tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: test-storage
test-storage: $(INSTALLED) ## Test storage where service and network fail: TESTBENCH=checkout of github.com/googleapis/storage-testbench
	@tools/test_storage.sh $(BIN)/python "$(TESTBENCH)"

.PHONY: fuzz
fuzz: $(INSTALLED) ## Feed damaged files to every reader: make fuzz, or make fuzz MINUTES=60 SEED=2
	@MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) $(BIN)/python -m pytest -m fuzz -rP tests/fuzz

.PHONY: sbom
sbom: $(INSTALLED) ## Write sbom.json and one for each image: bills of materials (CycloneDX)
	@$(BIN)/python tools/write_sbom.py --out sbom.json

.PHONY: audit
audit: $(INSTALLED) ## Check the lock, licences and, where the service can be reached, known vulnerabilities
	@$(BIN)/python tools/audit_dependencies.py

.PHONY: services
services: ## Install PostgreSQL, Chromium and what drives them (Debian or Ubuntu), which the next two need
	@tools/install_services.sh
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[integration]'

.PHONY: test-integration
test-integration: $(INSTALLED) services ## Run the tests of tracking and the registry on MLflow's server with PostgreSQL
	@$(BIN)/python -m pytest -m integration tests/integration

.PHONY: test-browser
test-browser: $(INSTALLED) services ## Look at MLflow's pages of a study in Chromium
	@$(BIN)/python -m pytest -m browser tests/integration

.PHONY: images
images: $(INSTALLED) ## Build the images of this release: ACCELERATOR="cpu gpu", BASE_IMAGE=python:3.11-slim
	@tools/build_images.sh $(BIN)/python $(ACCELERATOR)

.PHONY: images-test
images-test: images ## Run a study in containers, stop them, fill their disk, take MLflow away
	@$(BIN)/python -m pytest -m containers tests/containers --ignore tests/containers/test_services.py

.PHONY: lint
lint: $(INSTALLED) ## Check style and the layers of the code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

.PHONY: types
types: $(INSTALLED) ## Check the library's types
	@$(BIN)/mypy

.PHONY: check
check: lint types test ## Everything a change must pass

.PHONY: services-up
services-up: ## Start MLflow's server with PostgreSQL and a bucket in containers: see docs/how-to/services.md
	@tools/services.sh up

.PHONY: services-down
services-down: ## Stop them; what they hold stays
	@tools/services.sh down

.PHONY: services-test
services-test: $(INSTALLED) ## Run a study with these services, in containers of the test's own
	@$(BIN)/python -m pytest -m containers tests/containers/test_services.py

.PHONY: test-kubernetes
test-kubernetes: $(INSTALLED) ## Apply the manifests of deploy/ to an API server of Kubernetes, built on first use
	@tools/make_api_server.sh
	@GENOTRANSFER_KUBE_APISERVER=$(CURDIR)/build/kubernetes/kube-apiserver $(BIN)/python -m pytest -m kubernetes tests/deploy

.PHONY: compile
compile: $(INSTALLED) ## Compile the pipeline of a study for a cluster
	@$(BIN)/genotransfer compile $(STUDY)

.PHONY: snapshot
snapshot: $(INSTALLED) ## Renew the compiled form the snapshot test holds
	@$(BIN)/python -m tests.pipelines.test_compiled --renew
	@$(BIN)/python -m tests.pipelines.test_exome_compiled --renew

.PHONY: lock
lock: ## Resolve requirements.lock anew, and what the images hold of it
	@tools/lock_requirements.sh

.PHONY: bench-training
bench-training: $(INSTALLED) ## Measure training against the plain Keras loop, and whole studies: see docs/reference/benchmarks.md
	@$(BIN)/python -m benchmarks.training

.PHONY: bench-cnn
bench-cnn: $(INSTALLED) ## Measure the training of convolutional networks against Keras's fit
	@$(BIN)/python -m benchmarks.convolution

.PHONY: bench-scale
bench-scale: $(INSTALLED) ## Measure training on 100,000 samples of 6,600 SNPs
	@$(BIN)/python -m benchmarks.scale

.PHONY: bench-gpu
bench-gpu: $(INSTALLED) ## Measure training on a GPU, where TensorFlow sees one
	@$(BIN)/python -m benchmarks.training_gpu

.PHONY: bench-exome
bench-exome: $(INSTALLED) oracles ## Measure an exome's quality control beside bcftools: 5,000 samples x 100,000 records
	@$(BIN)/python -m benchmarks.exome

.PHONY: bench-exome-cnn
bench-exome-cnn: $(INSTALLED) ## Measure what choosing variants and networks on the test people is worth, at several heritabilities
	@$(BIN)/python -m benchmarks.exome_protocols

.PHONY: bench-accuracy
bench-accuracy: $(INSTALLED) ## Measure the accuracy of a study's models over 40 replicates: PEER=folder of PRS-CSx runs it too
	@$(BIN)/python -m benchmarks.accuracy $(if $(PEER),--peer $(PEER))

.PHONY: replicate
replicate: $(INSTALLED) ## Run the paper's study with 20 seeds, some minutes each, and gather them: make replicate SEEDS=1-20
	@$(BIN)/genotransfer replicate replicates --seeds $(SEEDS)

.PHONY: null-calibration
null-calibration: $(INSTALLED) ## How often are tests significant where no SNP has an effect, honestly and with a planted leak
	@$(BIN)/python -m benchmarks.null_calibration

.PHONY: replication-page
replication-page: $(INSTALLED) ## Renew docs/explanation/replication.md from the gathered replicates and null studies
	@$(BIN)/python tools/describe_replication.py --gathered runs/replicates/gathered --null runs/benchmarks/null.csv

.PHONY: clean
clean: ## Remove the environment and caches; runs/ stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
