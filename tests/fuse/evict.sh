#!/usr/bin/env bash
# -o evict=clock: a mount of :memory: that never is full, and what is seen of keys that go.
. "$(dirname "$0")/lib.sh"

# There may be other mounts of :memory:.
daemon_pid() {
	local p
	for p in /proc/[0-9]*; do
		if [ "$(readlink "$p/exe" 2>/dev/null)" = "$(readlink -f "$FEOXFS")" ] &&
			tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qxF -- "$mnt"; then
			echo "${p#/proc/}"
			return
		fi
	done
}
refused() { # refused OPTIONS TEXT [STORE]
	"$FEOXFS" "${3-:memory:}" "$mnt" -o "$1" 2>"$dir/said" && return 1
	grep -q -- "$2" "$dir/said" || bad "$1: $(cat "$dir/said")"
}
number() { python3 -c "import json; print(json.load(open('$mnt/.feox/stats.json'))['$1'])"; }
has() { grep -q "$2" "$1"; }

check "not of a file" refused evict=clock ':memory:' "$store"
check "nor anything else" refused evict=lru "evict=lru"
check "nor too small" refused evict=clock,memory=1M '4 MiB'

"$FEOXFS" :memory: "$mnt" -o evict=clock,memory=8M || die "mount failed"
check "config.json" grep -q '"evict": *"clock"' "$mnt/.feox/config.json"
cd "$mnt" || die cd
cat .feox/events >"$dir/events" &
reader=$!
mkdir empty full only
chmod 750 empty
head -c 50000 /dev/zero | tr '\0' v >"$dir/value"
cp "$dir/value" first
exec 7<first
echo '{"op":"put","key":"bare/k","value":"v"}' >.feox/ctl
check "a directory that a key proves" test -d bare
for i in $(seq 400); do
	cp "$dir/value" full/$i || bad "cp $i"
done
check "evictions are counted" test "$(number evictions)" -gt 100
check "all else is there" test "$(($(number evictions) + $(number keys)))" -ge 404
check "within the limit" test "$(number memory_bytes)" -le $((8 << 20))
check "what was written last stays" cmp "$dir/value" full/400
same "its directory" 750 "$(stat -c %a empty)"
check "the listing is of what is there" test "$(ls full | wc -l)" -lt 200
check "what is open stays" cmp "$dir/value" first
check "for who has it open, too" cmp "$dir/value" - <&7
exec 7<&-
check "the kernel has been told of a directory that the key proved" until_true 20 test ! -e bare
exec 6>being-written
head -c 1000 "$dir/value" >&6
for i in $(seq 400); do
	cp "$dir/value" full/$i || bad "cp $i"
done
check "the kernel has been told of a name" until_true 20 test ! -e first
head -c 1000 "$dir/value" >&6
exec 6>&-
same "a file that was being written all the time" 2000 "$(cat being-written | wc -c)"
check "an event" until_true 20 has "$dir/events" '"event":"evict","key":"first","version":"[0-9]*"'
check "the name is free" sh -c 'set -C; echo again >first'
same "again" again "$(cat first)"
kill $reader
wait $reader 2>/dev/null
cd / || die cd
stop
finish
