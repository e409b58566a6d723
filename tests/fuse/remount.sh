#!/usr/bin/env bash
# mount -o remount: what changes, what does not, and what it says.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || exit 77 # mount(2) is root's

# again OPTIONS: as mount(8) calls the program
again() { "$FEOXFS" "$store" "$mnt" -o "remount,$1" 2>&1; }
flags() { findmnt -n -o VFS-OPTIONS,FS-OPTIONS "$mnt"; }

same "nothing is mounted" "feoxfs: $mnt: cannot remount: no feoxfs is mounted here" "$(again ro)"

start
echo one >"$mnt/a"
check "remount,ro" again ro
refuse "a write" sh -c "echo two >'$mnt/a'"
refuse "mkdir" mkdir "$mnt/d"
same "reading" one "$(cat "$mnt/a")"
check "remount,rw" again rw
echo two >"$mnt/a"
same "writing again" two "$(cat "$mnt/a")"

# what is open for writing
exec 5>>"$mnt/a"
same "open for writing" "feoxfs: $mnt: cannot remount: a file is open for writing" "$(again ro)"
echo three >&5
exec 5>&-

# as mount(8) repeats them: from /proc/mounts, and from fstab
check "options as /proc/mounts shows them" again "ro,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions"
check "options of fstab" again "rw,flush_interval=50ms,memory=100M,nofail,x-systemd.automount"
same "an option of /proc/mounts, without remount" "feoxfs: unknown option 'user_id='" \
	"$("$FEOXFS" "$store" "$mnt" -o user_id=0 2>&1)"

# flags of the mount
check "noexec" again noexec,noatime
case $(flags) in *noexec*) ;; *) bad "noexec: $(flags)" ;; esac
check "exec" again exec
case $(flags) in *noexec*) bad "exec: $(flags)" ;; esac
case $(flags) in *nodev*) ;; *) bad "nodev stays: $(flags)" ;; esac

# everything is durable when it is read-only
echo durable >"$mnt/b"
check "remount,ro" again ro
kill9
start
same "after kill -9" durable "$(cat "$mnt/b")"
stop

start ro
same "a store that is open read-only" \
	"feoxfs: $mnt: cannot remount: the store is open read-only; unmount it, and mount it with rw" "$(again rw)"
refuse "still read-only" touch "$mnt/c"
stop
finish
