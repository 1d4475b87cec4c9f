#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, or says what to type when that is not permitted.
set -euo pipefail
missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
        echo "cuebird: the tests need these Debian packages and may not install them here: ${missing[*]}" >&2
        echo "         as root: apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo -n)
fi
command -v apt-get >/dev/null || {
    echo "cuebird: this is not Debian; install these programs by hand: ${missing[*]}" >&2
    exit 1
}
echo "── installing Debian packages the tests need: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# No server is to start on this machine: the tests start their own on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" \
    | grep -E '^(Get:|Unpacking|Setting up)' || [ "${PIPESTATUS[0]}" -eq 0 ]
