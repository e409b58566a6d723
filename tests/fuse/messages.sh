#!/usr/bin/env bash
# What commands cost: the synchronous messages between the kernel and the daemon, counted by the
# daemon. Each costs two switches of threads; more of them is slower by just that.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || die "jq is needed"

counts() { jq -c .fuse_messages .feox/stats.json; }

# measure COMMAND: {"OPEN":1,...}, without what counting costs and what nobody waits for
measure() {
	local idle start end
	idle=$(counts)
	start=$(counts)
	eval "$1" >/dev/null 2>&1
	end=$(counts)
	jq -Scn --argjson i "$idle" --argjson s "$start" --argjson e "$end" \
		'[$e | keys[] | {key: ., value: (($e[.] // 0) - 2 * ($s[.] // 0) + ($i[.] // 0))}
		| select(.value != 0 and ([.key] | inside(["RELEASE", "RELEASEDIR", "FORGET", "BATCH_FORGET",
		"INTERRUPT"]) | not))] | from_entries'
}

# costs EXPECTED GETATTRS COMMAND: up to so many GETATTR are allowed beside what is expected
costs() {
	local got
	got=$(measure "$3")
	jq -en --argjson e "$1" --argjson g "$got" --argjson max "$2" \
		'($g | del(.GETATTR)) == ($e | del(.GETATTR)) and ($g.GETATTR // 0) <= ($e.GETATTR // 0) + $max' \
		>/dev/null || bad "$3: expected $1 (and at most $2 GETATTR), got $got"
}

has() { jq -e ".fuse_flags.$1" .feox/config.json >/dev/null; }

start
cd "$mnt" || die cd
echo value >k
echo value >gone
cat k >/dev/null
stat k >/dev/null # asks once whether there is STATX
costs '{}' 0 'stat k'
costs '{}' 0 'test -e k'
test -e missing
costs '{}' 0 'test -e missing'
costs '{"OPEN":1}' 0 'cat k'
setfattr -n user.feox.ttl -v 1000 k
stat k >/dev/null
costs '{"GETXATTR":2}' 0 'getfattr -n user.feox.ttl k'
# right after a write, and after a change of the directory, the kernel may ask once more
costs '{"UNLINK":1}' 2 'rm gone'
costs '{"LOOKUP":1,"MKDIR":1}' 1 'mkdir d'
costs '{"LOOKUP":1,"RENAME2":1}' 1 'mv -T d e'
costs '{"RMDIR":1}' 1 'rmdir e'

if has DIRECT_IO_ALLOW_MMAP; then
	costs '{"CREATE":1,"LOOKUP":1,"WRITE":1}' 1 "dash -c 'echo v >new'"
	test -e new2
	costs '{"CREATE":1,"WRITE":1}' 1 "dash -c 'echo v >new2'"
	costs '{"OPEN":1,"WRITE":1}' 0 "dash -c 'echo v >>new2'"
	costs '{"CREATE":1,"LOOKUP":1,"WRITE":1}' 1 'dd if=/dev/zero of=large bs=1M count=1'
	costs '{"GETXATTR":1,"OPEN":1,"WRITE":1}' 1 'dd if=/dev/zero of=large bs=1M count=1'
	same "content" 1048576 "$(tr -d '\1-\377' <large | wc -c)"
	costs '{"GETXATTR":1,"OPEN":1,"WRITE":1}' 1 "bash -c 'echo w >new'"
fi
if has HANDLE_KILLPRIV_V2; then
	echo 0 >state
	for i in 1 2 3; do dash -c "echo $i >state"; done
	costs '{"OPEN":1,"WRITE":1}' 0 "dash -c 'echo 4 >state'"
	costs '{"OPEN":1,"WRITE":1}' 0 "dash -c 'echo 5 >state'"
	same "content" 5 "$(cat state)"
fi

# the first listing of a directory that the kernel knows nothing of
mkdir d
for ((i = 0; i < 1000; i++)); do echo "$i" >"d/$i"; done
remount
cd "$mnt" || die cd
got=$(measure 'ls -l d')
check "ls -l of 1000 files costs 12 at most, not $got" \
	jq -en --argjson g "$got" '[$g[]] | add <= 12' >/dev/null

# ---- two lookups in one directory wait for nobody but the daemon
mkdir "$dir/mnt-connections" # where cleanup unmounts
if has PARALLEL_DIROPS && mount -t fusectl none "$dir/mnt-connections" 2>/dev/null; then
	waiting=$dir/mnt-connections/$(stat -c %d .)/waiting
	two_wait() { [ "$(cat "$waiting")" -ge 2 ]; }
	pid=$(daemon_pid)
	kill -STOP "$pid"
	(test -e "$mnt/d/missing1") &
	(test -e "$mnt/d/missing2") &
	check "lookups in one directory at a time" until_true 10 two_wait
	kill -CONT "$pid"
	wait
fi

# ---- past the page cache: handles agree all the same
mkdir direct
check "handles that go past the page cache" "$HELPER" direct "$mnt/direct"
check "a reader beside a writer past it" "$HELPER" stale "$mnt/direct/a" 3000 direct
check "a reader beside a writer through it" "$HELPER" stale "$mnt/direct/b" 3000 cached

# ---- set-id bits are ours to clear
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	remount allow_other
	cd "$mnt" || die cd
	chmod 755 "$dir"
	chmod 777 .
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
	for change in 'echo x >>f' 'echo x >f' 'truncate -s 1 f' 'fallocate -l 100 f' 'head -c 70000 /dev/zero >f'; do
		for mode in 6777 2767 4755; do
			echo content >f
			chown 65534:65534 f
			chmod $mode f
			expected=$(printf %o $((0$mode & 0777 | (0$mode & 010 ? 0 : 0$mode & 02000))))
			check "$change" as_nobody sh -c "$change"
			same "$change: mode" "$expected" "$(stat -c %a f)"
			chmod $mode f
			sh -c "$change" 2>/dev/null
			same "$change by root: mode" $mode "$(stat -c %a f)"
		done
	done
	chmod 6777 f
	exec 5>>f
	as_nobody sh -c 'echo x >>f; echo y >>f'
	same "written twice" 777 "$(stat -c %a f)"
	chmod 6777 f
	as_nobody sh -c 'echo z >>f'
	same "and again after chmod" 777 "$(stat -c %a f)"
	exec 5>&-
	chmod 6777 f
	chown 0:0 f
	same "chown" 777 "$(stat -c %a f)"
	chmod 2767 f
	chown 65534 f
	same "chown without group execution" 2767 "$(stat -c %a f)"
	cd /
fi
finish_undisturbed
