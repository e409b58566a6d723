#!/usr/bin/env bash
# docs/recipes.md: every transcript, each in an empty mount.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || die "jq is needed"
here=$(cd "$(dirname "$0")" && pwd)
document=$here/../../docs/recipes.md

count=$(python3 "$here/recipes.py" "$document") || die "no document"
check "there are transcripts" [ "$count" -gt 10 ]
for ((i = 0; i < count; i++)); do
	rm -f "$store"
	start
	check "transcript $i" python3 "$here/recipes.py" "$document" "$mnt" "$i"
	stop
done
finish
