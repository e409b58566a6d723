#!/usr/bin/env bash
# Random operations on files, each compared with a model: fsx.c. 50 seeds of 10,000, with remounts.
# FSX_SEED: the first seed; FSX_SEEDS: how many.
. "$(dirname "$0")/lib.sh"

start
# The daemon that ends is waited for by the one that begins.
"$FSX" -s "${FSX_SEED:-1}" -n "${FSX_SEEDS:-50}" \
	-r "fusermount3 -u '$mnt' && '$FEOXFS' '$store' '$mnt'" "$mnt" || bad fsx
stop
finish
