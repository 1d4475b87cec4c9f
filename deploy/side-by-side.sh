#!/usr/bin/env bash
# Runs two commands at once, each one string: the first is seen as it goes, the second when both have ended.
# Exit code 1 when either failed; pytest's 5, nothing to run, is no failure.
set -uo pipefail
if [ $# -ne 2 ]; then
    echo "usage: $0 'COMMAND' 'COMMAND'" >&2
    exit 2
fi
said=$(mktemp)
trap 'rm -f "$said"; kill $(jobs -p) 2>/dev/null' EXIT
bash -c "$2" >"$said" 2>&1 &
bash -c "$1"
first=$?
wait $!
second=$?
cat "$said"
[[ $first == [05] && $second == [05] ]]
