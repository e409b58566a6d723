#!/usr/bin/env bash
# A store on a block device: only on one that nobody can miss, and never larger than it is.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || exit 77
image=$dir/image
truncate -s 100M "$image"
store=$(losetup -f --show "$image" 2>/dev/null) || exit 77 # no loop devices here
trap 'cleanup; losetup -d "$store"' EXIT

# expect_refused TEXT: no store is made of it, and nothing on it changes
expect_refused() {
	local out status before
	before=$(sha256sum <"$store")
	out=$("$FEOXFS" "$store" "$mnt" 2>&1)
	status=$?
	same "exit code: $1" 32 "$status"
	case $out in
	*"$1"*) ;;
	*) bad "'$1' expected in '$out'" ;;
	esac
	same "unharmed: $1" "$before" "$(sha256sum <"$store")"
}

blank() {
	umount "$dir/other" 2>/dev/null
	blkdiscard -z "$store" 2>/dev/null || dd if=/dev/zero of="$store" bs=1M status=none 2>/dev/null
}

# regression: a device whose first 8 KiB are free (btrfs, ZFS) was formatted
printf _BHRfS_M | dd of="$store" bs=1 seek=65600 conv=notrunc status=none
expect_refused "no superblock, but data at byte 65600"
blank
printf 'EFI PART' | dd of="$store" bs=1 seek=$((100 * 1048576 - 512)) conv=notrunc status=none
expect_refused "no superblock, but data at byte 104857088"
blank

# regression: a device that is in use by another file system was opened
mkdir "$dir/other"
if mkfs.ext4 -q "$store" 2>/dev/null && mount -o ro "$store" "$dir/other" 2>/dev/null; then
	expect_refused "Device or resource busy"
	umount "$dir/other"
	expect_refused "not a feox store"
fi
blank

start
echo here >"$mnt/a"
remount # waits for the daemon that has the device to itself
same "a store on a device" here "$(cat "$mnt/a")"
# regression: df added what is free in /dev
size=$(df -k --output=size "$mnt" | tail -n 1)
check "df says the device's size, not $size" test "$size" -le 102400
stop
# regression: a store without superblocks was made anew
dd if=/dev/zero of="$store" bs=4096 count=2 conv=notrunc status=none
expect_refused "no superblock, but data at byte"
finish
