#!/bin/sh
# Make .venv and install the pinned packages; does nothing while they are unchanged.
# usage: scripts/setup.sh [dev]
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}

find_python() {
    for name in "${PYTHON:-python3.11}" python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 is needed, and python3 is $(python3 --version 2>&1 || true). Get it with 'apt install python3.11-venv', \
'brew install python@3.11', or from python.org; if it has an unusual name: make PYTHON=/path/to/python3.11 …"
}

if ! { mkdir -p var && touch var/.writable; } 2>/dev/null; then
    fail "This folder cannot be written ($PWD): copy the shop to a folder of yours, or repair the rights of var/."
fi

requirements=requirements.txt
[ "${1:-}" = dev ] && requirements="requirements.txt requirements-dev.txt"
stamp=".venv/installed${1:+-$1}"
wanted=$(cat $requirements constraints.txt | cksum)
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c "" 2>/dev/null; then
    exit 0
fi

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    "$python" -m venv --clear .venv >var/setup.log 2>&1 ||
        fail "Python's venv module is missing; on Debian and Ubuntu: apt install python3.11-venv (details: var/setup.log)."
fi

echo "Installing the pinned packages into .venv; this happens once and takes about a minute …"
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --retries 1 \
    $(printf -- '-r %s ' $requirements) -c constraints.txt >var/setup.log 2>&1; then
    grep -q -E 'NewConnectionError|ConnectTimeout|name resolution|Network is unreachable|ProxyError' var/setup.log &&
        fail "The packages cannot be fetched: no network, or a proxy is needed (HTTPS_PROXY). Details: var/setup.log."
    tail -n 5 var/setup.log >&2
    fail "The packages could not be installed; details: var/setup.log."
fi
echo "$wanted" >"$stamp"
