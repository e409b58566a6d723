#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library has no variable that outlives a call: nothing of its own in .data or .bss.
set -eu
found=$(nm --defined-only "$@" 2>/dev/null | awk '$2 ~ /^[bBdDcC]$/ && $3 !~ /^(__|_DYNAMIC|\.LC)/ {print $3}')
# Addresses in constant tables need relocation and stand in .data.rel.ro: they are not variables.
if [ -n "$found" ]; then
	for symbol in $found; do
		section=$(objdump -t "$@" 2>/dev/null | awk -v s="$symbol" '$NF == s {print $(NF-2)}' | head -n 1)
		case $section in
		.data.rel.ro*) ;;
		*) echo "a mutable global: $symbol ($section)"; bad=1 ;;
		esac
	done
fi
[ -z "${bad-}" ]
