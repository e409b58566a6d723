#!/usr/bin/env bash
# /.feox: its directory, permissions, numbers in three forms.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || die "jq is needed"
here=$(cd "$(dirname "$0")" && pwd)

# message NAME: how many of them there have been
message() { jq ".fuse_messages.$1 // 0" .feox/stats.json; }

start
cd "$mnt" || die cd
refuse "not listed" sh -c 'ls -a | grep -x .feox'
check "can be looked up" test -d .feox
for file in stats stats.json metrics; do
	same "mode of $file" 444 "$(stat -c %a .feox/$file)"
	check "$file has content" grep -q . .feox/$file
done
for file in config.json ctl; do
	same "mode of $file" 600 "$(stat -c %a .feox/$file)"
done
for file in stats metrics config.json; do
	refuse "$file cannot be written" sh -c "echo x >.feox/$file"
done
refuse "removed" rm .feox/stats
refuse "made" touch .feox/new
refuse "renamed" mv .feox/stats x
refuse "renamed into" mv .feox x
refuse "a key by that name is another path" mkdir .feox
echo v >%=%2Efeox
same "here" "$(printf .feox | od -An -tx1 | tr -d ' \n')" "$(getfattr --only-values -n user.feox.key %=%2Efeox)"

# ---- numbers agree
for i in 1 2 3 4 5; do echo $i >f$i; done
check "stats.json is JSON" jq -e .keys .feox/stats.json >/dev/null
same "keys" "$(jq .keys .feox/stats.json)" "$(sed -n 's/^keys *//p' .feox/stats)"
same "and metrics" "$(jq .keys .feox/stats.json)" "$(sed -n 's/^feoxfs_keys //p' .feox/metrics)"
check "the rules of Prometheus" python3 "$here/check_metrics.py" <.feox/metrics
same "no read-only store" false "$(jq .read_only .feox/stats.json)"
cat .feox/stats >"$dir/first"
refuse "each open has its numbers" cmp -s "$dir/first" .feox/stats
same "config" "$store" "$(jq -r .store .feox/config.json)"
same "config" / "$(jq -r .separator .feox/config.json)"

# ---- messages are counted
before=$(message CREATE)
touch new1 new2 new3
same "three CREATE" $((before + 3)) "$(message CREATE)"
before=$(message UNLINK)
rm new1 new2
same "two UNLINK" $((before + 2)) "$(message UNLINK)"
stat f1 >/dev/null
before=$(message LOOKUP)
stat f1 >/dev/null
after=$(message LOOKUP)
stat f1 >/dev/null
# the messages of reading stats.json itself, and none for the file
same "stat of a cached name costs nothing" $((after - before)) "$(($(message LOOKUP) - after))"
check "in metrics too" grep -q '^feoxfs_fuse_messages_total{opcode="CREATE"} [1-9]' .feox/metrics
check "all kinds, from the start" grep -q '^feoxfs_fuse_messages_total{opcode="FALLOCATE"} 0' .feox/metrics
check "for people" grep -q '^fuse_CREATE' .feox/stats

# ---- not everybody
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	remount allow_other
	cd "$mnt" || die cd
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
	chmod 755 "$dir" .
	check "stats for everybody" as_nobody cat .feox/stats >/dev/null
	check "metrics for everybody" as_nobody cat .feox/metrics >/dev/null
	refuse "ctl is the owner's" as_nobody sh -c 'echo "{\"op\":\"get\",\"key\":\"f1\"}" >.feox/ctl'
	refuse "config too" as_nobody cat .feox/config.json
fi
finish
