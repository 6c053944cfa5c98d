#!/bin/sh
# Find a Python that can run Facet, and have it make .venv from the lock. Arguments go to install.py.
# The system's own comes first, unless PYTHON names one: docs/decisions/which-python.md says why.
here=$(dirname "$0")
installed=$here/../.venv/bin/python
if [ -x "$installed" ] && "$installed" "$here/install.py" "$@" --if-current; then
    exit 0
fi
for python in "${PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.14; do
    [ -n "$python" ] || continue
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" "$here/install.py" "$@"
    fi
done
echo "Facet needs Python 3.11 or newer with its venv module, and none was found." >&2
echo "Install it (Debian, Ubuntu: apt install python3 python3-venv), or name one: make run PYTHON=/path/to/python3" >&2
exit 1
