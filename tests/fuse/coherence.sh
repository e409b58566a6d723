#!/usr/bin/env bash
# The kernel caches for ever, and is told what ends that: expiry, and changes by other doors.
. "$(dirname "$0")/lib.sh"

# watched FILE: the helper tells of it in $dir/watch.N
watches=0
watched() {
	watches=$((watches + 1))
	"$HELPER" watch "$1" 20 >"$dir/watch.$watches" 2>&1 5<&- &
	until_true 10 grep -q ready "$dir/watch.$watches" || bad "no watch of $1"
}
heard() { grep -q "$2" "$dir/watch.$1"; }

start
cd "$mnt" || die cd

# ---- a watch on a file sees its expiry
mkdir d
for name in plain d/below cached open expires_at by_ctl; do echo v >$name; done
watched plain
setfattr -n user.feox.ttl -v 0.3 plain
watched d/below
setfattr -n user.feox.ttl -v 0.3 d/below
cat cached >/dev/null
ls -l >/dev/null
watched cached
setfattr -n user.feox.ttl -v 0.3 cached
exec 5<open
watched open
setfattr -n user.feox.ttl -v 0.3 open
watched expires_at
setfattr -n user.feox.expires_at -v "$(date -u -d '+1 second' +%FT%TZ)" expires_at
watched by_ctl
exec 3<>.feox/ctl
echo '{"op":"ttl","key":"by_ctl","ttl":0.3}' >&3
same "ttl by ctl" '{"ok":true}' "$(cat <&3)"
n=0
for name in plain d/below cached open expires_at by_ctl; do
	n=$((n + 1))
	check "$name is gone" until_true 10 sh -c "! test -e $name"
	[ $name = open ] || check "the watch on $name hears of its expiry" until_true 10 heard $n delete_self
done
same "a handle keeps what it saw" v "$(cat <&5)"
exec 5<&- # as of any removed file, the end of an open one is told when it is closed
check "the watch on open hears of its expiry" until_true 10 heard 4 delete_self
wait_gone_names() { [ "$(ls)" = d ]; }
check "and they are not listed" wait_gone_names

# made again before it was swept or after: the new file is not the old one's
for i in 1 2 3 4 5; do
	echo old >again
	setfattr -n user.feox.ttl -v 0.05 again
	check "gone" until_true 10 sh -c '! test -e again'
	echo new >again
	sleep 0.1 # several turns of the sweeper
	same "made again" new "$(cat again)"
	rm again
done

# ---- a negative entry ends when ctl makes the key
refuse "not there" test -e made
echo '{"op":"put","key":"made","value":"by ctl"}' >&3
cat <&3 >/dev/null
same "there at once" "by ctl" "$(cat made)"
refuse "not there" test -e tree/made
echo '{"op":"put","key":"tree/made","value":"by ctl"}' >&3
cat <&3 >/dev/null
same "there at once, with its directory" "by ctl" "$(cat tree/made)"

# ---- many at once
mkdir many
for ((i = 0; i < 500; i++)); do echo $i >many/$i; done
ls -l many >/dev/null
watched many/499
for ((i = 0; i < 500; i++)); do
	echo '{"op":"ttl","key":"many/'$i'","ttl":0.5}' >&3
done
cat <&3 >/dev/null
check "all expire" until_true 10 sh -c '[ -z "$(ls many)" ]'
check "the last is heard" until_true 10 heard $watches delete_self
exec 3>&-

# ---- neither the old size of the new bytes, nor the other way round
echo 1 >counter
check "whole values" "$HELPER" whole "$mnt/counter" 2000
same "in the end" 1 "$(cat counter)"

# regression: a cached size cut what an open handle read
echo 99 >size
exec 5<size
cat size >/dev/null
setfattr -n user.feox.incr -v 1 size
same "by name" 100 "$(cat size)"
same "by an open handle" 100 "$(cat <&5)"
exec 5<&-

# regression: what is replaced all the time was not there at times
replace() { # without a pause between two names, as mv(1) would make
	for ((i = 0; i < 400; i++)); do
		echo 1 >next
		mv next always
	done
}
echo 1 >always
replace &
check "changed by its path" "$HELPER" incr-many always 2 1000
check "opened by its path" sh -c 'for i in $(seq 1000); do read -r x <always || exit 1; done'
wait $!

# ---- everything at once: nobody waits for ever
check "a storm" timeout 60 "$HELPER" storm "$mnt" 5 "$RANDOM"
check "still served" timeout 10 ls -l
finish_undisturbed
