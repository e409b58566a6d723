#!/usr/bin/env bash
# The command line: what is accepted, what is refused with which line and code, how it ends.
. "$(dirname "$0")/lib.sh"

# expect CODE TEXT COMMAND...
expect() {
	local code=$1 text=$2 out status
	shift 2
	out=$("$@" 2>&1)
	status=$?
	same "exit code of $*" "$code" "$status"
	case $out in
	*"$text"*) ;;
	*) bad "$*: '$text' expected in '$out'" ;;
	esac
	[ "$code" = 0 ] || same "one line from $*" 1 "$(printf '%s\n' "$out" | wc -l)"
}

expect 0 "Usage" "$FEOXFS" --help
expect 0 "feoxfs 0" "$FEOXFS" --version
expect 1 "the store is missing" "$FEOXFS"
expect 1 "the mount point is missing" "$FEOXFS" "$store"
expect 1 "unknown option 'nonsense'" "$FEOXFS" "$store" "$mnt" -o ro,nonsense
expect 1 "unknown option 'nonsense=5'" "$FEOXFS" "$store" "$mnt" -o nonsense=5
expect 1 "bad value in option 'memory=lots'" "$FEOXFS" "$store" "$mnt" -o memory=lots
# regression: 0 meant the default, silently
expect 1 "option 'flush_interval=0': must be more than 0" "$FEOXFS" "$store" "$mnt" -o flush_interval=0
expect 1 "option 'publish_interval=0s': must be more than 0" "$FEOXFS" "$store" "$mnt" -o publish_interval=0s
expect 1 "not supported" "$FEOXFS" "$store" "$mnt" -o uring=on
# regression: argp added a second line
expect 1 "unknown option '--nonsense'" "$FEOXFS" --nonsense "$store" "$mnt"
expect 1 "unknown option '--foreground=yes'" "$FEOXFS" "$store" "$mnt" --foreground=yes
expect 1 "unknown option '-z'" "$FEOXFS" "$store" -fz "$mnt"
expect 1 "unknown option '-z'" "$FEOXFS" -zf "$store" "$mnt"
expect 1 "option '-o' needs a value" "$FEOXFS" "$store" "$mnt" -o
expect 0 "Usage" "$FEOXFS" -?
expect 0 "STORE MOUNTPOINT" "$FEOXFS" --usage
expect 0 "feoxfs 0" "$FEOXFS" -V
expect 32 "No such file" "$FEOXFS" -f -o ro -- "$store" "$mnt"
expect 1 "one argument too many" "$FEOXFS" "$store" "$mnt" x
expect 32 "No such file" "$FEOXFS" "$store" "$dir/nowhere"
expect 32 "not a directory" "$FEOXFS" "$store" "$0"
for i in $(seq 1000); do echo "text that is not a store"; done >"$dir/text"
expect 32 "not a feox store (bad magic)" "$FEOXFS" "$dir/text" "$mnt"
expect 32 "$dir/text" "$FEOXFS" "$dir/text" "$mnt"
# regression: a device that was missing became a file in memory
expect 32 "/dev/feoxfs-test: " "$FEOXFS" /dev/feoxfs-test "$mnt"
refuse "nothing made in /dev" test -e /dev/feoxfs-test
expect 32 "No such file" "$FEOXFS" "$dir/no/such/dir/store" "$mnt"
expect 32 "$dir" "$FEOXFS" "$dir" "$mnt"
expect 1 "separator" "$FEOXFS" "$store" "$mnt" -o separator=x
refuse "nothing was made" test -e "$store"
if [ "$(id -u)" -eq 0 ]; then
	# What fusermount3 has to say becomes the one line.
	mkdir -m 755 "$dir/root-only"
	expect 32 "root-only: cannot mount: user has no write access" unshare -m sh -c "
		mount -t tmpfs none /dev && mknod -m 666 /dev/fuse c 10 229 && mknod -m 666 /dev/null c 1 3 &&
		chmod 755 '$dir' && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
		'$FEOXFS' :memory: '$dir/root-only'"
	# No /dev/fuse, in a namespace of its own.
	expect 2 "/dev/fuse" unshare -m sh -c "mount -t tmpfs none /dev && exec '$FEOXFS' '$store' '$mnt'"
fi

start "noatime,rw,nofail,_netdev,x-systemd.automount,user,comment=hello,defaults"
check "mounted when it returns" mountpoint -q "$mnt"
same "type" fuse.feoxfs "$(findmnt -no FSTYPE "$mnt")"
same "source" "$store" "$(findmnt -no SOURCE "$mnt")"
echo v >"$mnt/k"
mkdir "$dir/mnt2"
expect 32 "in use" "$FEOXFS" "$store" "$dir/mnt2"
same "unharmed" v "$(cat "$mnt/k")"
check "stats" grep -q '^keys' "$mnt/.feox/stats"
check "stats.json" python3 -c "import json; assert json.load(open('$mnt/.feox/stats.json'))['keys'] >= 1"
# regression: config.json showed 0 for defaults, and had not all options
config() { # config PYTHON-EXPRESSION: true of the object c
	check "config.json: $1" python3 -c "import json, os; c = json.load(open('$mnt/.feox/config.json')); assert $1, c"
}
config "c['store'] == '$store' and c['mountpoint'] == '$mnt' and c['prefix'] == '' and c['separator'] == '/'"
config "c['memory'] == os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGESIZE') // 2 and c['evict'] == 'none'"
config "c['size'] == 16 << 20 and c['grow_max'] == 1 << 30 and c['max_size'] is None"
config "c['max_value'] == 64 << 20 and c['rename_max'] == 1000000"
config "c['flush_interval_ns'] == 10**8 and c['publish_interval_ns'] == 5 * 10**9 and c['cache_ns'] is None"
config "c['uid'] == os.getuid() and c['gid'] == os.getgid()"
config "c['umask'] == c['fmask'] == c['dmask'] == '022'"
config "not c['read_only'] and not c['sync'] and not c['allow_other']"
config "c['kernel'] == 'noatime' and c['uring'] == 'off' and c['store_io'] in ('io_uring', 'pread')"
same "not listed" 0 "$(ls -A "$mnt" | grep -c feox)"

# regression: mounting again at once was refused while the daemon had not heard of the umount yet
if [ "$(id -u)" -eq 0 ]; then
	pid=$(daemon_pid)
	kill -STOP "$pid"
	python3 -c "import ctypes, os; ctypes.CDLL(None).umount2(os.fsencode('$mnt'), 0)" # umount(8) asks the daemon
	(sleep 0.3 && kill -CONT "$pid") &
	start
	wait $!
	same "mounted again at once" v "$(cat "$mnt/k")"
fi

# regression: a relative path of the store was shown as it was by mount(8) and df(1)
mkdir "$dir/mnt3"
(cd "$dir" && "$FEOXFS" relative.feox mnt3) || bad "relative paths"
same "absolute source" "$dir/relative.feox" "$(findmnt -no SOURCE "$dir/mnt3")"
expect 32 "in use" "$FEOXFS" "$dir/relative.feox" "$dir/mnt2"
fusermount3 -u "$dir/mnt3"

# SIGTERM flushes and unmounts.
echo last >"$mnt/last"
pid=$(daemon_pid)
kill -TERM "$pid"
tail --pid="$pid" -f /dev/null
refuse "unmounted by SIGTERM" mountpoint -q "$mnt"
start
same "flushed" last "$(cat "$mnt/last")"

# regression: SIGTERM ended the daemon only when the last file below was closed
exec 5>>"$mnt/last"
echo staged >&5
pid=$(daemon_pid)
kill -TERM "$pid"
check "SIGTERM ends it with files open" timeout 20 tail --pid="$pid" -f /dev/null
refuse "unmounted with files open" mountpoint -q "$mnt"
exec 5>&-
start
same "flushed from an open file" "last staged" "$(tr '\n' ' ' <"$mnt/last" | sed 's/ $//')"
echo last >"$mnt/last"
umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt"
start # waits for the daemon that is closing
same "still" last "$(cat "$mnt/last")"

# regression: a daemon that had not seen yet that it was unmounted was no reason to wait
pid=$(daemon_pid)
kill -STOP "$pid"
umount -l "$mnt" || fusermount3 -uz "$mnt"
start &
starting=$!
refuse "it does not start meanwhile" timeout 0.5 tail --pid=$starting -f /dev/null
kill -CONT "$pid"
check "it starts then" wait $starting
check "mounted again" mountpoint -q "$mnt"

remount ro
refuse "ro: no writing" sh -c "echo x >$mnt/x"
same "ro: reading" last "$(cat "$mnt/last")"
stop

"$FEOXFS" :memory: "$mnt" || bad ":memory:"
echo v >"$mnt/k"
same ":memory:" v "$(cat "$mnt/k")"
store=:memory: stop
store=$dir/store.feox

# regression: a store opened as descriptor 0, 1 or 2 became /dev/null
"$FEOXFS" "$store" "$mnt" <&- >&- 2>&- || bad "mount without standard streams"
pid=$(daemon_pid)
check "the store is still open" sh -c "ls -l /proc/$pid/fd | grep -qF '$store'"
echo closed >"$mnt/closed"
remount
same "without standard streams" closed "$(cat "$mnt/closed")"
stop

# A block device, blank at first.
truncate -s 64M "$dir/image"
if device=$(losetup -f --show "$dir/image" 2>/dev/null); then
	file=$store store=$device
	start
	echo block >"$mnt/k"
	remount
	same "on a block device" block "$(cat "$mnt/k")"
	check "df of a block device" test "$(df -k --output=size "$mnt" | tail -n 1)" -eq 65536
	stop
	losetup -d "$device"
	store=$file
fi

odd=$dir/$'odd\xff'
"$FEOXFS" "$odd" "$mnt" -o size=2M,max_size=1M,memory=64M,umask=077,dmask=007,rename_max=0,cache=1s,ro,rw ||
	bad "odd store name"
config "c['store_hex'].endswith('6f6464ff') and 'store' not in c and c['size'] == c['max_size'] == 1 << 20"
config "c['memory'] == 64 << 20 and [c[m] for m in ('umask', 'fmask', 'dmask')] == ['077', '077', '007']"
config "c['rename_max'] == 1 << 21 and c['cache_ns'] == 10**9"
store=$odd stop
rm "$odd"
"$FEOXFS" :memory: "$mnt" || bad ":memory:"
config "c['store_io'] == 'memory'"
store=:memory: stop
store=$dir/store.feox

# A prefix, and another separator.
start prefix=app/
echo in >"$mnt/x"
stop
start
same "prefix" in "$(cat "$mnt/app/x")"
stop
rm "$store"
start separator=:
mkdir -p "$mnt/user"
echo 42 >"$mnt/user/42"
same "separator" "$(printf user:42 | od -An -tx1 | tr -d ' \n')" \
	"$(getfattr --only-values -n user.feox.key "$mnt/user/42")"
stop
expect 1 "separator" "$FEOXFS" "$store" "$mnt" -o separator=/
# regression: a prefix had to end with '/' unless the separator of the store was given again
expect 1 "prefix 'user/' does not end with the separator ':'" "$FEOXFS" "$store" "$mnt" -o prefix=user/
start prefix=user:
same "prefix and separator" 42 "$(cat "$mnt/42")"
stop
# regression: a comma could be in no option
rm "$store"
start 'separator=\,,noatime'
mkdir "$mnt/user"
echo 42 >"$mnt/user/42"
stop
start 'prefix=user\,'
same "a comma as the separator" "$(printf user,42 | od -An -tx1 | tr -d ' \n')" \
	"$(getfattr --only-values -n user.feox.key "$mnt/42")"
stop

# What is installed, with the default prefix, is what mount(8) and fstab find: in a namespace whose /usr
# has it too. regression: the helper went to /usr/local/sbin, where mount(8) does not look
build=$(dirname "$(readlink -f "$FEOXFS")")
prefix=$(meson introspect --buildoptions "$build" |
	python3 -c "import json, sys; print(*[o['value'] for o in json.load(sys.stdin) if o['name'] == 'prefix'])")
if [ "$(id -u)" -eq 0 ] && [ "$prefix" = /usr/local ]; then
	rm "$store"
	check "meson install" env DESTDIR="$dir/root" meson install -C "$build" --no-rebuild --quiet >/dev/null
	same "the helper" /usr/local/bin/feoxfs "$(readlink "$dir/root/usr/sbin/mount.feoxfs")"
	check "what it names" test -x "$dir/root/usr/local/bin/feoxfs"
	cat >"$dir/inside" <<-INSIDE
		set -e
		mount -t overlay overlay -o "lowerdir=$dir/root/usr:/usr" /usr
		mount -t feoxfs "$store" "$mnt" -o flush_interval=50ms
		echo mount8 >"$mnt/k"
		mount -o remount,ro "$mnt"
		if touch "$mnt/k" 2>/dev/null; then exit 1; fi
		mount -o remount,rw "$mnt"
		echo mount8 >"$mnt/k"
		umount "$mnt"
		echo "$store $mnt feoxfs rw,noauto,user,nofail,x-test 0 0" >"$dir/fstab"
		mount --fstab "$dir/fstab" "$mnt"
		cat "$mnt/k"
		umount "$mnt"
	INSIDE
	if unshare -m mount -t overlay o -o "lowerdir=$dir/root/usr:/usr" /usr 2>/dev/null; then
		same "mount -t feoxfs, fstab" mount8 "$(unshare -m sh "$dir/inside")"
		FEOXFS=/usr/local/bin/feoxfs wait_gone
	else
		echo "no overlayfs: mount(8) is not tested here"
	fi
fi
finish
