#!/usr/bin/env bash
# One million keys put through the library, listed on the mount.
. "$(dirname "$0")/lib.sh"

"$HELPER" million "$store" || die "million keys"
start
same "find | wc -l" 1000000 "$(find "$mnt" -type f | wc -l)"
same "ls of a large directory" 100000 "$(ls -U "$mnt/flat" | wc -l)"
same "one of them" 123456 "$(cat "$mnt/deep/12/123456")"
finish
