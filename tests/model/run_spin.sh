#!/usr/bin/env bash
# The protocol's model: no state breaks an invariant, and each rule that is dropped breaks one.
#	run_spin.sh MODEL.pml
set -eu
model=$(readlink -f "$1")
command -v spin >/dev/null && command -v gcc >/dev/null || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# verify [-DRULE]: how many errors spin finds (it stops at the first)
verify() {
	rm -f pan*
	spin -a "$@" "$model" >/dev/null
	gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c
	./pan -m100000 >log
	grep -q 'max search depth too small' log && { echo "search cut short" >&2; exit 1; }
	sed -n 's/.*errors: \([0-9]*\)$/\1/p' log
}

errors=$(verify)
[ "$errors" = 0 ] || { cat log; exit 1; }
sed -n 's/^ *\([0-9.e+]*\) states, stored$/the protocol holds in \1 states/p' log
failed=0
for rule in $(grep -oE '^#if(n?)def DROP_[A-Z_]+' "$model" | sed 's/.* //' | sort -u); do
	errors=$(verify "-D$rule")
	if [ "$errors" = 0 ]; then
		echo "$rule: not noticed"
		failed=1
	else
		echo "$rule: $(sed -n 's/^pan:[0-9]*: //p' log | head -n 1)"
	fi
done
exit $failed
