#!/bin/sh
# Make sure the browser tests have a Chromium: Debian's when we may install it, Playwright's own elsewhere.
# Its headless shell draws the same pages without a browser's window around them, in two thirds of the time.
set -e
if [ -n "$CHROMIUM" ] || command -v chromium-headless-shell >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium's headless shell for the browser tests"
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium-headless-shell fonts-liberation >/dev/null; then
        exit 0
    fi
fi
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
elif ! .venv/bin/python -m playwright install chromium; then
    echo "There is no Chromium for the browser tests, and none could be installed. Install one (Debian, Ubuntu: apt install" >&2
    echo "chromium), name one in CHROMIUM, or run the other tests: .venv/bin/python -m pytest -n auto --ignore tests/e2e" >&2
    exit 1
fi
