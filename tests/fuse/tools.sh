#!/usr/bin/env bash
# mkfs.feoxfs and fsck.feoxfs: options, exit codes, what they refuse, and stores that are damaged.
. "$(dirname "$0")/lib.sh"

# expect CODE TEXT COMMAND...
expect() {
	local code=$1 text=$2 out status
	shift 2
	out=$("$@" 2>&1 </dev/null)
	status=$?
	same "exit code of $*" "$code" "$status"
	case $out in
	*"$text"*) ;;
	*) bad "$*: '$text' expected in '$out'" ;;
	esac
}

# damage BYTE [COUNT]: random bytes there
damage() { dd if=/dev/urandom of="$store" bs=1 seek="$1" count="${2-16}" conv=notrunc status=none; }
first_place() { LC_ALL=C grep -obUa -- "$1" "$store" | head -n 1 | cut -d: -f1; }

expect 0 "Usage" "$MKFS" --help
expect 0 "mkfs.feoxfs 0" "$MKFS" -V
expect 1 "is missing" "$MKFS"
expect 1 "one argument too many" "$MKFS" "$store" "$store"
expect 1 "not a size" "$MKFS" -s lots "$store"
expect 1 "not a size" "$MKFS" -s -1M "$store"
expect 1 "at least 1 MiB" "$MKFS" -s 1K "$store"
expect 1 "not a UUID" "$MKFS" -U 12345678-1234-1234-1234-12345678901 "$store"
expect 1 "must be one byte" "$MKFS" -S :: "$store"
expect 1 "separator" "$MKFS" -S a "$store"
refuse "nothing was made" test -e "$store"
expect 0 "2097152 bytes, UUID 12345678-1234-abcd-1234-1234567890ab, separator :" \
	"$MKFS" -s 2M -S : -U 12345678-1234-ABCD-1234-1234567890ab "$store"
expect 1 "a feox store on it already; -f overwrites it" "$MKFS" "$store"
same "quiet" "" "$("$MKFS" -qf -s 4M "$store")"
same "size" 4194304 "$(stat -c %s "$store")"
echo text >"$dir/text"
expect 1 "not blank; -f overwrites it" "$MKFS" "$dir/text"
same "unharmed" text "$(cat "$dir/text")"

expect 0 "Usage" "$FSCK" --help
expect 0 "fsck.feoxfs 0" "$FSCK" -V
expect 16 "is missing" "$FSCK"
expect 16 "invalid option" "$FSCK" -z "$store"
expect 16 "only one of" "$FSCK" -n -y "$store"
expect 16 "not a file descriptor" "$FSCK" -Cx "$store"
expect 8 "No such file" "$FSCK" -n "$dir/missing"
expect 8 "not a feox store" "$FSCK" -n "$dir/text"
expect 8 "not a feox store" "$FSCK" -y "$dir/text"
same "unharmed" text "$(cat "$dir/text")"
expect 0 "clean (closed in order; -f reads all of it), 0 keys" "$FSCK" -p "$store"
expect 0 "good, 0 keys" "$FSCK" -fy "$store"

# In use: never touched.
start
for i in $(seq 50); do echo "value $i of many" >"$mnt/file$i"; done
head -c 300000 /dev/zero | tr '\0' z >"$mnt/large"
expect 1 "in use" "$MKFS" -f "$store"
for option in -n -p -y; do expect 8 "in use" "$FSCK" $option "$store"; done
same "still there" "value 7 of many" "$(cat "$mnt/file7")"
remount ro
expect 8 "in use" "$FSCK" -fy "$store"
expect 0 "good, 52 keys" "$FSCK" -fn "$store"
# regression: a read-only store said that its device had 0 bytes
same "device_bytes" 4194304 "$(awk '$1 == "device_bytes" { print $2 }' "$mnt/.feox/stats")"
stop

# A crash is no fault.
start
echo more >"$mnt/more"
sync "$mnt/more" || bad "fsync"
kill9
expect 0 "not closed in order" "$FSCK" -n "$store"
expect 0 "good, 53 keys" "$FSCK" -p "$store"
expect 0 "clean (closed" "$FSCK" -p "$store"

# One superblock.
damage 4196
expect 4 "superblock B is damaged: bad superblock checksum (block 1)" "$FSCK" -n "$store"
expect 4 "1 left" "$FSCK" "$store" # there is nobody to ask
expect 1 "1 mended, 0 left" "$FSCK" -a "$store"
expect 0 "clean (closed" "$FSCK" -a "$store"

# A value.
damage "$(first_place 'value 7 of many')" 5
expect 0 "clean (closed" "$FSCK" -n "$store"
expect 4 'is damaged or unreadable' "$FSCK" -fn "$store"
expect 4 ': key "file7"' "$FSCK" -fp "$store"
expect 4 "by hand" "$FSCK" -fp "$store"
expect 1 '1 keys lost' "$FSCK" -fy "$store"
expect 0 "good, 52 keys" "$FSCK" -fn "$store"
start
refuse "the damaged one is gone" test -e "$mnt/file7"
same "its neighbour" "value 8 of many" "$(cat "$mnt/file8")"
stop

# The journal.
damage $(($(od -An -tu8 -j56 -N8 "$store") * 4096 + 40))
expect 32 "no journal" "$FEOXFS" "$store" "$mnt"
expect 4 "the journal that begins here is damaged" "$FSCK" -n "$store"
expect 4 "by hand" "$FSCK" -p "$store"
expect 32 "no journal" "$FEOXFS" "$store" "$mnt"
expect 1 "may have been undone" "$FSCK" -y "$store"
expect 0 "good" "$FSCK" -fn "$store"
start
same "salvaged" "value 8 of many" "$(cat "$mnt/file8")"
same "salvaged, large" 300000 "$(tr -d '\n' <"$mnt/large" | tr -cd z | wc -c)"
stop

# Both superblocks.
damage 0 8192
expect 8 "not a feox store" "$FSCK" -p "$store"
expect 1 "made anew" "$FSCK" -y "$store"
start
same "salvaged again" "value 9 of many" "$(cat "$mnt/file9")"
stop

# Progress for programs, and for people.
"$FSCK" -f -C5 "$store" 5>"$dir/progress" >/dev/null || bad "-C5"
check "progress" grep -qE "^2 [0-9]+ [0-9]+ $store\$" "$dir/progress"
check "ends complete" awk '{ if ($2 > $3) exit 1; last = $2 == $3 } END { exit !last }' "$dir/progress"

# By way of fsck(8) and mkfs(8), which look for them in PATH too.
if command -v fsck >/dev/null && command -v mkfs >/dev/null; then
	export PATH=$(dirname "$FSCK"):$(dirname "$MKFS"):$PATH
	expect 0 "clean (closed" fsck -t feoxfs -a "$store"
	rm "$store"
	expect 0 "separator /" mkfs -t feoxfs -s 2M "$store"
	damage 4196
	expect 1 "1 mended" fsck -t feoxfs -a "$store"
fi

# A device.
if [ "$(id -u)" -eq 0 ]; then
	truncate -s 64M "$dir/image"
	if device=$(losetup -f --show "$dir/image" 2>/dev/null); then
		store=$device
		expect 1 "as a whole" "$MKFS" -s 2M "$device"
		expect 0 "67108864 bytes" "$MKFS" "$device"
		expect 1 "already" "$MKFS" "$device"
		start
		echo device >"$mnt/k"
		expect 1 "in use" "$MKFS" -f "$device"
		stop
		expect 0 "clean (closed in order; -f reads all of it), 2 keys" "$FSCK" -p "$device"
		damage 100
		expect 1 "1 mended" "$FSCK" -p "$device"
		mkdir "$dir/other"
		if mkfs.ext4 -qF "$device" 2>/dev/null && mount "$device" "$dir/other" 2>/dev/null; then
			expect 1 "busy" "$MKFS" -f "$device"
			expect 8 "busy" "$FSCK" -y "$device"
			umount "$dir/other"
		fi
		expect 0 "67108864 bytes" "$MKFS" -f "$device"
		expect 0 "good, 0 keys" "$FSCK" -fn "$device"
		check "nobody takes it for ext4" test -z "$(blkid -p -o value -s TYPE "$device")"
		losetup -d "$device"
	fi
fi
finish
