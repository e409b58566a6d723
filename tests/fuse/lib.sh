# SPDX-License-Identifier: Apache-2.0
# lib.sh - a store of its own, mounted on a directory of its own, gone at the end whatever happens.
# Sourced by every test of this folder: FEOXFS and HELPER (the programs) come from the environment.
set -u
# shellcheck disable=SC2034
export LC_ALL=C.UTF-8 LANG=C.UTF-8

[ -c /dev/fuse ] && [ -r /dev/fuse ] || exit 77 # no FUSE here: skipped

dir=$(mktemp -d "${TMPDIR:-/tmp}/feoxfs-test-XXXXXX")
store=$dir/store.feox
mnt=$dir/mnt
mkdir "$mnt"
failures=0

# A mount that is still in use is detached, and its daemon asked to end all the same.
cleanup() {
	local pid
	cd /
	pid=$(daemon_pid)
	for m in "$mnt" "$dir"/mnt*; do
		mountpoint -q "$m" 2>/dev/null && { fusermount3 -u "$m" 2>/dev/null || umount -l "$m"; }
	done
	if [ -n "$pid" ] && ! timeout 20 tail --pid="$pid" -f /dev/null; then
		kill -TERM "$pid" 2>/dev/null
		timeout 20 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# The daemon that serves our store.
daemon_pid() {
	local p
	for p in /proc/[0-9]*; do
		if [ "$(readlink "$p/exe" 2>/dev/null)" = "$(readlink -f "$FEOXFS")" ] &&
			tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qxF -- "$store"; then
			echo "${p#/proc/}"
			return
		fi
	done
}

start() { "$FEOXFS" "$store" "$mnt" ${1+-o "$1"} || die "mount failed"; }

# umount returns before the daemon has flushed: wait for its end.
wait_gone() {
	local pid
	pid=$(daemon_pid)
	[ -z "$pid" ] || timeout 120 tail --pid="$pid" -f /dev/null || die "the daemon does not end"
}

stop() {
	cd /
	# who has just been killed may keep it busy for a moment
	until_true 10 fusermount3 -u "$mnt" || fusermount3 -u "$mnt" || die "unmount failed"
	wait_gone
}

remount() {
	stop
	start "$@"
}

kill9() {
	local pid
	pid=$(daemon_pid)
	cd /
	kill -KILL "$pid"
	tail --pid="$pid" -f /dev/null
	umount -l "$mnt" 2>/dev/null || fusermount3 -uz "$mnt"
}

die() {
	echo "FATAL: $*" >&2
	exit 1
}

bad() {
	echo "FAILED: $*" >&2
	failures=$((failures + 1))
}

# check DESCRIPTION COMMAND...: the command succeeds
check() {
	local what=$1
	shift
	"$@" || bad "$what: $*"
}

# refuse DESCRIPTION COMMAND...: the command fails
refuse() {
	local what=$1
	shift
	! "$@" 2>/dev/null || bad "$what: $* should have failed"
}

# same DESCRIPTION EXPECTED ACTUAL
same() { [ "$2" = "$3" ] || bad "$1: expected '$2', got '$3'"; }

# until_true SECONDS COMMAND...: wait for something that has no event of its own
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ $SECONDS -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

drops() { sed -n 's/^drop_slab //p' /proc/vmstat; }
drops_before=$(drops)

# For tests of what the kernel caches: as finish, but somebody may have had the machine's caches
# dropped meanwhile (drop_caches), and then it says nothing. Again, then.
finish_undisturbed() {
	if [ $failures -gt 0 ] && [ "$(drops)" != "$drops_before" ] && [ "${ATTEMPT:-1}" -lt 10 ]; then
		echo "the caches were dropped meanwhile: again" >&2
		cleanup
		ATTEMPT=$((${ATTEMPT:-1} + 1)) exec "$0"
	fi
	finish
}

finish() {
	[ $failures -eq 0 ] || exit 1
	exit 0
}
