#!/usr/bin/env bash
# /.feox/events: each kind of change, several readers, slow ones, reads that wait and end.
. "$(dirname "$0")/lib.sh"

readers=()
# watch FILE: a reader in the background whose lines go there
watch() {
	exec 8<"$mnt/.feox/events" # open is enough: what happens from now on is kept for it
	cat <&8 >"$1" &
	readers+=($!)
	exec 8<&-
}
has() { grep -q "$2" "$1"; }
events() { sed 's/,"version":"[0-9]*"//' "$1" | tr '\n' ' '; }

start
cd "$mnt" || die cd
mkdir d
watch "$dir/one"
watch "$dir/two"
echo v >f
check "a set" until_true 10 has "$dir/one" '"set","key":"f"'
same "its version" "$(getfattr --only-values -n user.feox.version f)" \
	"$(sed -n 's/.*"set","key":"f","version":"\([0-9]*\)".*/\1/p' "$dir/one" | tail -n 1)"
mv f d/g
check "a rename" until_true 10 has "$dir/one" '"event":"rename","from":"f","key":"d/g","version":"[0-9]*"}'
rm d/g
check "a delete" until_true 10 has "$dir/one" '"event":"del","key":"d/g","version":"[0-9]*"}'
echo x >e
setfattr -n user.feox.ttl -v 0.2 e
check "an expiry" until_true 30 has "$dir/one" '"event":"expire","key":"e","version":"[0-9]*"}'
echo '{"op":"put","key_b64":"/w==","value":"1"}' >.feox/ctl
check "a key that is no text" until_true 10 has "$dir/one" '"event":"set","key_b64":"/w=="'
check "the other reader too" until_true 10 has "$dir/two" '"key_b64":"/w=="'
check "the same" cmp "$dir/one" "$dir/two"
chmod 600 d && setfattr -n user.x -v 1 d
echo last >last
check "attributes are no event" until_true 10 has "$dir/one" '"key":"last"'
refuse "indeed" has "$dir/one" '"event":"touch"'
exec 6>staged
echo staged >&6
setfattr -n user.feox.ttl -v 100 staged
check "what is staged is one event with its change" until_true 10 \
	sh -c "[ \$(grep -c '\"key\":\"staged\"' '$dir/one') = 2 ]" # that of O_CREAT is the other
exec 6>&-
same "mode" 400 "$(stat -c %a .feox/events)"
refuse "not for writing" sh -c 'echo x >.feox/events'

# ---- reads that wait
kill "${readers[@]}"
wait "${readers[@]}" 2>/dev/null
readers=()
check "a signal ends one" "$HELPER" events-interrupt .feox/events
check "so many, and not more" "$HELPER" events-parked .feox/events
check "poll" "$HELPER" events-poll .feox/events polled
check "a slow reader" "$HELPER" events-slow .feox/events .feox/ctl

# ---- a part is mounted
mkdir -p app
remount prefix=app/
cd "$mnt" || die cd
watch "$dir/part"
echo '{"op":"put","key":"app/in","value":"1"}' >.feox/ctl
echo 2 >also
check "full keys" until_true 10 has "$dir/part" '"key":"app/also"'
check "full keys" has "$dir/part" '"key":"app/in"'

# ---- the end of the mount ends them
kill "$(daemon_pid)"
wait "${readers[@]}" 2>/dev/null
cd /
wait_gone
finish
