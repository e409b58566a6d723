#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library has no variable that outlives a call: nothing of its own in .data or .bss. The one
# exception is src/base/local.c: without a key of its own no library learns that a thread ends.
set -eu
allowed=' exit_key exit_once has_exit_key '
found=$(nm --defined-only "$@" 2>/dev/null | awk '$2 ~ /^[bBdDcC]$/ && $3 !~ /^(__|_DYNAMIC|\.LC)/ {print $3}')
# Addresses in constant tables need relocation and stand in .data.rel.ro: they are not variables.
# .tbss is each thread's own.
if [ -n "$found" ]; then
	for symbol in $found; do
		case $allowed in *" $symbol "*) continue ;; esac
		section=$(objdump -t "$@" 2>/dev/null | awk -v s="$symbol" \
			'$NF == s {for (i = 2; i < NF; i++) if ($i ~ /^\.(t?bss|t?data)/) print $i}' | head -n 1)
		case $section in
		.data.rel.ro* | .tbss) ;;
		*) echo "a mutable global: $symbol ($section)"; bad=1 ;;
		esac
	done
fi
[ -z "${bad-}" ]
