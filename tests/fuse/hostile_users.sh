#!/usr/bin/env bash
# Users who mean no good: an errno each time; the daemon lives, its memory stays bounded, and what it
# held for them is given back.
. "$(dirname "$0")/lib.sh"

# What is free when all is durable.
free_blocks() {
	sync "$mnt"
	stat -f -c %f "$mnt"
}

start memory=200M,max_size=1G
pid=$(daemon_pid)
if [ "$(id -u)" -eq 0 ]; then # mount(2) is root's; first: nothing else comes and goes in the daemon's memory
	mkdir "$mnt/lookups"
	check "lookups" "$HOSTILE" lookups "$mnt/lookups" "$pid"
	rm -rf "$mnt/lookups"
fi
mkdir "$mnt/d"
for test in numbers names deep handles directories xattrs killed stopped; do
	mkdir "$mnt/$test"
	check "$test" "$HOSTILE" $test "$mnt/$test" "$pid"
	check "the daemon after $test" test "$(daemon_pid)" = "$pid"
	rm -rf "${mnt:?}/$test"
done
same "all that was made is gone" d "$(ls "$mnt")"
check "it is alive" sh -c "echo alive >'$mnt/d/f'"
before=$(free_blocks)
remount memory=200M,max_size=1G
same "content after a remount" alive "$(cat "$mnt/d/f")"
after=$(free_blocks)
# Promises that were never given back would be free again after a remount. 16 MiB of 4 KiB blocks.
check "no room stays promised: $before free before a remount, $after after" test $((after - before)) -lt 4096
stop
finish
