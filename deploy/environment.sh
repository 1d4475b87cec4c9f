#!/usr/bin/env bash
# Makes or updates .venv from requirements/NAME.lock (NAME: runtime, dev, or gateway for a small computer) and installs Cuebird into it.
set -euo pipefail
name=${1:?name of a lock file: runtime, dev or gateway}
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."

command -v "$python" >/dev/null || {
    echo "cuebird: $python not found; install Python 3.11 or newer (Debian: apt-get install python3), or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "cuebird: $("$python" --version) is too old; Cuebird needs 3.11 or newer. Name another with: make PYTHON=/path/to/python3" >&2
    exit 1
}
"$python" -m pip --version >/dev/null 2>&1 || {
    echo "cuebird: $python has no pip; install it (Debian: apt-get install python3-pip)" >&2
    exit 1
}

# Without Debian's python3-venv there is no pip to put inside, so the one outside installs into it.
[ -x .venv/bin/python ] || { echo "── making .venv with $("$python" --version)"; "$python" -m venv --without-pip .venv; }
echo "── installing $(grep -cE '^[a-z]' "requirements/$name.lock") pinned packages into .venv (a minute or two the first time)"
"$python" -m pip --python .venv/bin/python install --disable-pip-version-check --require-hashes --no-deps \
    --progress-bar on -r "requirements/$name.lock" | grep -vE '^(Looking in|Ignoring|Requirement already)' || [ "${PIPESTATUS[0]}" -eq 0 ] || {
    echo "cuebird: the packages of requirements/$name.lock could not be installed; pip's reason stands above (no network? full disk?)" >&2
    exit 1
}
echo "── installing cuebird itself"
"$python" -m pip --python .venv/bin/python install --disable-pip-version-check --quiet --no-deps --editable .
touch ".venv/$name.stamp"
# The development's environment can all that the runtime's can; a gateway's cannot.
[ "$name" != dev ] || touch .venv/runtime.stamp
