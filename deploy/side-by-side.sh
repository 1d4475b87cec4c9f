#!/usr/bin/env bash
# Runs commands at once, each one string: the first is seen as it goes, the others when all have ended.
# Exit code 1 when any failed; pytest's 5, nothing to run, is no failure.
set -uo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 'COMMAND' 'COMMAND' ..." >&2
    exit 2
fi
said=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$said"' EXIT
first=$1
shift
jobs=()
for command in "$@"; do
    bash -c "$command" >"$said/${#jobs[@]}" 2>&1 &
    jobs+=($!)
done
failed=0
note() { [[ $1 == [05] ]] || failed=1; }
bash -c "$first"
note $?
for number in "${!jobs[@]}"; do
    wait "${jobs[$number]}"
    note $?
    cat "$said/$number"
done
exit $failed
