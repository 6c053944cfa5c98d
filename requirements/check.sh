#!/bin/sh
# Everything that can be said about the code without running it. Goes on after a failure, so one run shows them all.
bin=.venv/bin
failed=
check() {
    name=$1
    shift
    echo "· $name"
    "$@" || failed="${failed:+$failed, }$name"
}
# What the shell is set up for is a console's business.
while read -r name; do
    unset "$name" "${name}_FILE"
done <<NAMES
$(sed -n 's/^| .\([A-Z0-9_]*\). | .* | .* |$/\1/p' docs/configuration.md)
NAMES
# Checks need settings, not a database: this address is never connected to.
export DATABASE_URL=postgresql://checks@127.0.0.1:9/none DATABASE_POOL=0 BUILTIN_MODEL=0
DATA_DIR=$(mktemp -d)
export DATA_DIR
trap 'rm -rf "$DATA_DIR"' EXIT
mkdir "$DATA_DIR/static"

check "format" $bin/ruff format --check --quiet .
check "lint" $bin/ruff check --quiet .
check "types" $bin/mypy --no-error-summary console prompts_app usage_app agents_app examples manage.py requirements/install.py
check "import contracts" $bin/lint-imports --no-logo
check "settings and models" $bin/python -W ignore manage.py check --fail-level WARNING
check "migrations" $bin/python -W ignore manage.py makemigrations --check --dry-run
check "templates" sh -c "git ls-files -z --cached --others --exclude-standard 'templates/*.html' '*/templates/*.html' | xargs -0 -r $bin/djade --check --target-version 5.2"
if [ -x $bin/shellcheck ]; then # on platforms that have a wheel of them
    check "shell" $bin/shellcheck requirements/*.sh .ci/run
    check "container" $bin/hadolint --failure-threshold warning deploy/Dockerfile
fi
if [ -n "$failed" ]; then
    echo "Failed: $failed" >&2
    exit 1
fi
echo "All checks passed."
