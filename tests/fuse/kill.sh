#!/usr/bin/env bash
# kill -9 at random moments: what was fsynced is there, no value is torn or mixed.
. "$(dirname "$0")/lib.sh"

start flush_interval=20ms
for round in $(seq 20); do
	: >"$dir/synced"
	"$HELPER" write-synced "$mnt" "$round" >"$dir/synced" 2>/dev/null &
	writer=$!
	# A random moment after the first file is durable.
	until_true 10 test -s "$dir/synced" || die "nothing was written"
	sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
	kill9
	wait $writer 2>/dev/null
	start flush_interval=20ms
	check "round $round" "$HELPER" check-synced "$mnt" <"$dir/synced"
done

# regression: fsync of a directory passed over files that the timer had just looked at
mkdir "$mnt/open"
for round in $(seq 10); do
	stop
	start publish_interval=40ms,flush_interval=20ms
	check "fsync of a directory" "$HELPER" dirty-files "$mnt/open" "content $round" "$(daemon_pid)"
	wait_gone
	umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt"
	start publish_interval=1h
	same "all that was open, round $round" 400 "$(cat "$mnt"/open/* | grep -o "content $round" | wc -l)"
done
finish
