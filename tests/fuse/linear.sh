#!/usr/bin/env bash
# Histories of several processes by every door of a mount are linearisable.
. "$(dirname "$0")/lib.sh"

seed=${SEED:-$RANDOM}
start publish_interval=20ms,cache=0
check "histories, nothing cached, seed $seed" timeout 300 "$LINEAR" "$mnt" "${HISTORIES:-60}" "$seed" strict
stop
rm "$store"
start publish_interval=20ms
check "histories, seed $seed" timeout 300 "$LINEAR" "$mnt" "${HISTORIES:-60}" "$seed" cached
stop
finish
