#!/bin/sh
# Brings this checkout to the point where the demo and the tests can run: Debian packages, .venv, the
# pinned requirements. Repeating it costs a fraction of a second when nothing changed.
# PYTHON=/path/to/python3 chooses the interpreter; "setup.sh lock" renews requirements.lock instead.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }
is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

choose_python() {
    # A choice once made stays: a later make without PYTHON must not build everything anew.
    earlier=$(sed -n 's/^executable = //p' .venv/pyvenv.cfg 2>/dev/null) || true
    for candidate in "${PYTHON:-${earlier:-/usr/bin/python3}}" /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
        [ -z "${PYTHON:-}" ] || fail "$PYTHON is not Python 3.11 or newer." "Remedy: name one that is, as in: make setup PYTHON=/usr/bin/python3"
    done
    fail "no Python 3.11 or newer found." "Remedy: apt-get install python3, or make setup PYTHON=/path/to/python3"
}

missing_packages() {
    # ensurepip is what Debian splits off into python3-venv.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || printf ' python3-venv'
    [ -x /usr/sbin/sshd ] || command -v sshd >/dev/null || printf ' openssh-server'
    command -v rsync >/dev/null || printf ' rsync'
}

install_packages() {
    packages=$1
    remedy="Remedy: as root, apt-get update && apt-get install$packages"
    command -v apt-get >/dev/null || fail "missing:$packages, and this system has no apt-get." "Remedy: install what they hold (venv and ensurepip, sshd, rsync) your system's way."
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null; then
        # Without a terminal a password prompt would hang for ever.
        if [ -t 0 ]; then as_root="sudo"; else as_root="sudo -n"; fi
    else
        fail "missing:$packages, and neither root nor sudo is at hand." "$remedy"
    fi
    log=$(mktemp)
    say "installing Debian packages:$packages${as_root:+ (with sudo)}"
    # The lock's descriptor is closed for apt: a daemon that it starts would hold the lock for ever.
    # shellcheck disable=SC2086  # both are lists of words
    { $as_root apt-get update -qq &&
      $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    } >"$log" 2>&1 9<&- </dev/null || {
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get failed (its last lines are above)." "$remedy"
    }
    rm -f "$log"
}

make_venv() {
    # What the folder depends on: the lock, this interpreter, and the place, which its scripts hold.
    wanted="$("$python" -c 'import sys; print(sys.version, sys.base_prefix)') $PWD $(sha256sum <requirements.lock)"
    if [ "$(cat .venv/.made-from 2>/dev/null)" = "$wanted" ]; then
        say ".venv is up to date"
        return
    fi
    say "making .venv with $("$python" -V) and the pinned requirements (about a minute)"
    rm -rf .venv
    "$python" -m venv .venv
    # --no-deps: the lock is complete, which pip check then proves. Errors alone are shown.
    { .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps \
        -r requirements.lock && .venv/bin/python -m pip check --quiet; } ||
        fail "the pinned requirements could not be installed." "Remedy: look at the lines above (network, disk space) and run it again."
    printf '%s\n' "$wanted" >.venv/.made-from
}

renew_lock() {
    say "renewing requirements.lock from pyproject.toml"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$python" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check uv
    # No configuration and no index of this machine: the hashes must be those that everyone gets.
    # Universal: markers for each Python from 3.11.0 on instead of the answer for this one.
    # --upgrade: what stands in the file is not a reason to keep it.
    env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_FIND_LINKS \
        "$folder/venv/bin/uv" pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 \
        --extra dev --generate-hashes --no-strip-extras --upgrade --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --output-file "$folder/lock" >/dev/null
    {
        printf '# Every dependency, also those of the tests, pinned with hashes. Made by: make lock\n'
        cat "$folder/lock"
    } >requirements.lock.new
    mv requirements.lock.new requirements.lock
}

python=$(choose_python)
# One set-up at a time in a checkout: make demo and make test may start together.
exec 9<pyproject.toml
! command -v flock >/dev/null || flock 9
packages=$(missing_packages)
[ -z "$packages" ] || install_packages "$packages"
case "${1:-venv}" in
    venv) make_venv ;;
    lock) renew_lock ;;
    *) fail "unknown word: $1" "Remedy: setup.sh, or setup.sh lock" ;;
esac
