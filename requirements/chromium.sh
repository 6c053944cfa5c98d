#!/bin/sh
# Make sure the browser tests have a Chromium: Debian's when we may install it, Playwright's own elsewhere.
set -e
if [ -n "$CHROMIUM" ]; then
    exit 0
fi
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium for the browser tests"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
else
    .venv/bin/python -m playwright install chromium
fi
