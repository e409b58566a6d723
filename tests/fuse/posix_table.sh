#!/usr/bin/env bash
# The table of POSIX rules (posix.h): on the mount, on a read-only one, and on a file system of the
# kernel, which shows that it is right.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || exit 77 # only root can be several users
chmod 755 "$dir"

# regression: open(O_TRUNC) by a user kept set-id bits; unlink and rename over it kept the ctime of
# an open file; seekdir(3) beyond the last answer of the daemon counted entries
start allow_other,dev,suid
check "the table" "$POSIX_TABLE" "$mnt"
check "what is left for the read-only mount" "$POSIX_TABLE" --prepare "$mnt"
remount allow_other,ro
check "the table, read-only" "$POSIX_TABLE" --read-only "$mnt"
stop

# regression: df of a store in memory did not know of what was promised
store=:memory:
start allow_other,dev,suid
check "the table in memory" "$POSIX_TABLE" "$mnt"
stop

mkdir "$dir/local"
if mount -t tmpfs none "$dir/local" 2>/dev/null; then
	check "the table on tmpfs" "$POSIX_TABLE" --local "$dir/local"
	check "prepare on tmpfs" "$POSIX_TABLE" --prepare "$dir/local"
	mount -o remount,ro "$dir/local"
	check "the table on tmpfs, read-only" "$POSIX_TABLE" --read-only "$dir/local"
	umount "$dir/local"
fi
finish
