#!/usr/bin/env bash
# What write(2), fallocate(2) and setxattr(2) have accepted is stored, in a store that is full.
. "$(dirname "$0")/lib.sh"

# regression: of attributes over some kilobytes no room was promised, and the content was lost at close
start max_size=4M
accepted=$("$HELPER" room-described "$mnt") || bad "room-described"
remount max_size=4M
for name in $accepted; do
	same "$name, whose byte was accepted" x "$(cat "$mnt/$name")"
done
stop

# regression: fallocate of what a file has already promised nothing, though writing it needs room anew
rm "$store"
start max_size=8M
mkdir "$mnt/d"
check "room-allocated" "$HELPER" room-allocated "$mnt/d"
remount max_size=8M
same "the last content" 0 "$(tr -d c <"$mnt/d/f" | wc -c)"
stop
finish
