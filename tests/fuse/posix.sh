#!/usr/bin/env bash
# What the shell cannot do: maps, locks, rename flags, exclusive creation, handles.
. "$(dirname "$0")/lib.sh"

start
cd "$mnt" || die cd
for test in mmap-shared mmap-private locks rename-flags excl append handles fsync readdir seek unlinked; do
	mkdir "$test"
	check "$test" "$HELPER" "$test" "$mnt/$test"
done
finish
