#!/bin/sh
# Create .venv and install the pinned packages; does nothing if they are unchanged.
# usage: scripts/setup.sh [dev]      PYTHON=/path/to/python uses that Python instead of the newest suitable one
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}

minor() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

if ! { mkdir -p var && touch var/.writable; } 2>/dev/null; then
    fail "This folder is not writable ($PWD): move the shop to a folder that you own, or fix the permissions of var/."
fi

sum_of() {
    cat "$@" constraints.txt | cksum
}

is_installed() { # the tools for developers include what the shop needs
    [ "$(cat .venv/installed-dev 2>/dev/null)" = "$(sum_of $all)" ] && return
    [ "$stamp" = .venv/installed ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(sum_of requirements.txt)" ]
}

all="requirements.txt requirements-test.txt requirements-dev.txt requirements-sentry.txt requirements-otel.txt requirements-s3.txt"
stamp=".venv/installed${1:+-$1}"
requirements=requirements.txt
[ "${1:-}" = dev ] && requirements=$all
present=$(minor .venv/bin/python)
case "${PYTHON:+$(minor "$PYTHON")}" in
    "" | "$present") is_kept=true ;; # a newer Python alone does not trigger a new installation
    *) is_kept=false ;;
esac
case "$present" in
    3.11 | 3.12 | 3.13 | 3.14) ;;
    *) is_kept=false ;;
esac
if $is_kept && is_installed; then
    exit 0
fi

if ! $is_kept || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(scripts/pythons.sh | head -n 1 | cut -d ' ' -f 2-)
    [ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 with its venv module is required, but ${PYTHON:-python3} is \
$("${PYTHON:-python3}" --version 2>&1 || true). Install it with 'apt install python3-venv', 'brew install python@3.13', or from \
python.org; if it has an unusual name: make PYTHON=/path/to/python3.13 …"
    "$python" -m venv --clear .venv >var/setup.log 2>&1 ||
        fail "Python's venv module does not work; on Debian and Ubuntu: apt install python3-venv (details: var/setup.log)."
    echo "Using $("$python" --version) ($python)."
fi

rm -f .venv/installed .venv/installed-dev
echo "Installing the pinned packages into .venv; this happens once and takes about a minute …"
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --retries 1 \
    $(printf -- '-r %s ' $requirements) -c constraints.txt >var/setup.log 2>&1; then
    grep -q -E 'NewConnectionError|ConnectTimeout|name resolution|Network is unreachable|ProxyError' var/setup.log &&
        fail "The packages could not be downloaded: there is no network, or a proxy is required (HTTPS_PROXY). Details: var/setup.log."
    tail -n 5 var/setup.log >&2
    fail "The packages could not be installed; details: var/setup.log."
fi
sum_of $requirements >"$stamp"
