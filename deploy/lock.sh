#!/usr/bin/env bash
# Writes requirements/*.lock from pyproject.toml: versions and hashes for every platform, no index address.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet "$@"; }
compile --extra engine -o requirements/runtime.lock
compile --extra gateway -c requirements/runtime.lock -o requirements/gateway.lock
compile --group dev --extra engine --extra postgres -c requirements/runtime.lock -o requirements/dev.lock
