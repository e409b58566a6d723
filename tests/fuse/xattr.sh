#!/usr/bin/env bash
# The key-value xattrs: each row of the table, each error, open handles, many clients, copies.
. "$(dirname "$0")/lib.sh"

get() { getfattr --only-values -n "user.feox.$2" "$1" 2>/dev/null; }
has() { get "$@" >/dev/null; }
set_() { setfattr -n "user.feox.$2" -v "$3" "$1" 2>/dev/null; }
# errno of set, get, remove and rename
set_errno() { "$HELPER" setxattr-errno "$1" "user.feox.$2" "$3" "${4-any}"; }
get_errno() { "$HELPER" getxattr-errno "$1" "user.feox.$2"; }
remove_errno() { "$HELPER" removexattr-errno "$1" "user.feox.$2"; }
names() { getfattr -d -m - "$1" 2>/dev/null | sed -n 's/=.*//p' | tr '\n' ' '; }

start
cd "$mnt" || die cd

# ---- incr
echo 99 >n
cat n >/dev/null
exec 5<n
set_ n incr 1
same "not what the kernel had cached" 100 "$(cat n)"
same "neither on an open handle" 100 "$(cat <&5)"
same "nor the size" 4 "$(stat -c %s n)"
exec 5<&-
set_ n incr -300
same "below zero" -200 "$(cat n)"
same "the newline is kept" 5 "$(stat -c %s n)"
printf 5 >n
set_ n incr 5
same "there was none" 2 "$(stat -c %s n)"
for wrong in '' x 1x 1.5 +1 ' 1' '1 ' - 0x10; do
	same "incr '$wrong'" EINVAL "$(set_errno n incr "$wrong")"
done
same "more than a counter holds" ERANGE "$(set_errno n incr 9223372036854775808)"
same "unharmed" 10 "$(cat n)"
echo 9223372036854775807 >n
same "overflow" ERANGE "$(set_errno n incr 1)"
same "changed nothing" 9223372036854775807 "$(cat n)"
for wrong in text '' 1.5 '1 2'; do
	echo "$wrong" >n
	same "incr of '$wrong'" EINVAL "$(set_errno n incr 1)"
	same "is as it was" "$wrong" "$(cat n)"
done
same "get" ENODATA "$(get_errno n incr)"
same "remove" ENODATA "$(remove_errno n incr)"
same "replace" ENODATA "$(set_errno n incr 1 replace)"
touch -d '2001-01-01 UTC' n
echo 1 >n && touch -d '2001-01-01 UTC' n
set_ n incr 1
check "mtime is now" test n -nt "$dir"

# ---- incr, with handles that have written
echo 10 >n
exec 6<>n
printf 7 >&6
set_ n incr 3
same "starts from what is staged" 73 "$(cat n)"
printf 55 >&6
same "the handle goes on from the result" 755 "$(tr -d '\n' <n)"
printf x >n
same "incr of what is staged" EINVAL "$(set_errno n incr 1)"
same "which stays" x "$(cat n)"
exec 6>&-
same "also after close" x "$(cat n)"

# ---- version
echo v >k
v=$(get k version)
same "decimal" 1 "$(echo "$v" | grep -cxE '[0-9]+')"
echo w >k
check "it grows" [ "$(get k version)" -gt "$v" ]
v=$(get k version)
chmod 600 k && set_ k ttl 100 && setfattr -x user.feox.ttl k
same "attributes and TTL keep it" "$v" "$(get k version)"
same "set" EPERM "$(set_errno k version 1)"
same "remove" EPERM "$(remove_errno k version)"

# ---- key
same "the raw key" "$(printf k | od -An -tx1 | tr -d ' \n')" "$(get k key)"
same "set" EPERM "$(set_errno k key 1)"
same "remove" EPERM "$(remove_errno k key)"
mkdir -p d/sub
same "of a directory" "$(printf d/sub/ | od -An -tx1 | tr -d ' \n')" "$(get d/sub key)"

# ---- cas
echo one >k
cat k >/dev/null
v=$(get k version)
exec 5<k
check "swap" set_ k cas "$v two"
same "swapped" two "$(cat k)"
same "also for who has it open" two "$(cat <&5)"
exec 5<&-
same "the token is used up" ECANCELED "$(set_errno k cas "$v three")"
same "changed nothing" two "$(cat k)"
check "an empty value" set_ k cas "$(get k version) "
same "is empty" 0 "$(stat -c %s k)"
for wrong in '' 1 'x y' ' y' '-1 y' '18446744073709551616 y' '1x y'; do
	same "cas '$wrong'" EINVAL "$(set_errno k cas "$wrong")"
done
same "get" ENODATA "$(get_errno k cas)"
same "remove" ENODATA "$(remove_errno k cas)"
# what is staged has another version
exec 6>>k
v=$(get k version)
echo staged >&6
same "compared with what is staged" ECANCELED "$(set_errno k cas "$v lost")"
same "which stays" staged "$(cat k)"
check "until it is asked for" set_ k cas "$(get k version) won
"
echo more >&6
exec 6>&-
same "the handle goes on from the result" "won more" "$(tr '\n' ' ' <k | sed 's/ $//')"
set_ k ttl 100
set_ k cas "$(get k version) kept"
check "the TTL is kept" has k ttl
chmod 640 k
setfattr -n user.color -v red k
set_ k cas "$(get k version) kept"
same "the mode is kept" 640 "$(stat -c %a k)"
same "and the xattrs" red "$(getfattr --only-values -n user.color k)"

# ---- json_patch
printf '{"a": 1.10,\n "b":[1,2] }\n' >j
cat j >/dev/null
check "patch" set_ j json_patch '[{"op":"replace","path":"/b/0","value":9},{"op":"test","path":"/a","value":1.1}]'
same "untouched text keeps its bytes" "$(printf '{"a": 1.10,\n "b":[9,2] }\n')" "$(cat j)"
before=$(cat j)
same "a test fails" EINVAL "$(set_errno j json_patch '[{"op":"replace","path":"/b/0","value":7},{"op":"test","path":"/a","value":2}]')"
same "no such place" EINVAL "$(set_errno j json_patch '[{"op":"remove","path":"/zzz"}]')"
same "no patch" EINVAL "$(set_errno j json_patch '{}')"
same "empty" EINVAL "$(set_errno j json_patch '')"
same "all or nothing" "$before" "$(cat j)"
echo text >t
same "no JSON" EINVAL "$(set_errno t json_patch '[]')"
same "is as it was" text "$(cat t)"
exec 6<>j
printf '{"a": 2.10' >&6
check "patch of what is staged" set_ j json_patch '[{"op":"remove","path":"/b"}]'
same "starts from there" '{"a": 2.10 }' "$(cat j)"
exec 6>&-
same "after close" '{"a": 2.10 }' "$(cat j)"
same "get" ENODATA "$(get_errno j json_patch)"

# ---- ttl and expires_at
echo v >e
same "no ttl" ENODATA "$(get_errno e ttl)"
same "nothing to remove" ENODATA "$(remove_errno e ttl)"
same "replace of none" ENODATA "$(set_errno e ttl 5 replace)"
check "set" set_ e expires_at 2100-01-02T03:04:05.25+01:00
same "in UTC" 2100-01-02T02:04:05.25Z "$(get e expires_at)"
same "create of one" EEXIST "$(set_errno e expires_at 2101-01-01T00:00:00Z create)"
for wrong in '' now 2001-01-01T00:00:00Z 2100-02-30T00:00:00Z 2100-01-01 2100-01-01T00:00:00 9999-01-01T00:00:00Z; do
	same "expires_at '$wrong'" EINVAL "$(set_errno e expires_at "$wrong")"
done
for wrong in '' 0 -1 x 1y 1e3 ' 1'; do
	same "ttl '$wrong'" EINVAL "$(set_errno e ttl "$wrong")"
done
same "unharmed" 2100-01-02T02:04:05.25Z "$(get e expires_at)"
same "listed when set, alone" "user.feox.expires_at " "$(names e)"
check "remove by the other name" setfattr -x user.feox.ttl e
same "not listed" "" "$(names e)"
# with what is staged
exec 6>e
echo staged >&6
check "ttl" set_ e ttl 100
same "and the content" staged "$(cat e)"
exec 6>&-
check "kept when the handle is closed" has e ttl
same "the content too" staged "$(cat e)"
for name in ttl cas incr json_patch if_version; do
	same "$name of a directory" EINVAL "$(set_errno d $name 1)"
	same "get $name of a directory" ENODATA "$(get_errno d $name)"
	same "remove $name of a directory" ENODATA "$(remove_errno d $name)"
done

# ---- an expired file that is still open
echo 1 >gone
exec 5<gone
set_ gone ttl 0.2
check "it expires" until_true 10 sh -c '! test -e gone'
same "the handle keeps it" 1 "$(cat <&5)"
for change in 'ttl 5' 'incr 1' 'cas 1 x' 'json_patch []'; do
	same "${change%% *} of an expired file" ENOENT \
		"$("$HELPER" setxattr-errno /dev/fd/5 "user.feox.${change%% *}" "${change#* }" any)"
done
exec 5<&-

# ---- default_ttl
mkdir -p s/deep/er other
check "set" set_ s default_ttl 1h
same "as set" 1h "$(get s default_ttl)"
same "listed" "user.feox.default_ttl " "$(names s)"
touch s/f s/deep/er/f other/f
mkdir s/newdir
ln -s x s/link
for f in s/f s/deep/er/f; do
	left=$(get $f ttl)
	check "$f has it: $left" awk "BEGIN { exit !($left > 3500 && $left <= 3600) }"
done
same "not elsewhere" ENODATA "$(get_errno other/f ttl)"
same "not directories" ENODATA "$(get_errno s/newdir ttl)"
set_ s/deep default_ttl 10s
touch s/deep/er/g s/h
left=$(get s/deep/er/g ttl)
check "the nearest wins: $left" awk "BEGIN { exit !($left <= 10) }"
check "remove" setfattr -x user.feox.default_ttl s/deep
touch s/deep/er/i
left=$(get s/deep/er/i ttl)
check "the next above: $left" awk "BEGIN { exit !($left > 3500) }"
setfattr -x user.feox.default_ttl s
touch s/deep/er/j
same "none" ENODATA "$(get_errno s/deep/er/j ttl)"
check "on the root" set_ . default_ttl 1d
touch onroot other/below
check "counts" has onroot ttl
check "and everywhere below" has other/below ttl
setfattr -x user.feox.default_ttl .
for wrong in '' 0 x -1; do
	same "default_ttl '$wrong'" EINVAL "$(set_errno s default_ttl "$wrong")"
done
same "of a file" EINVAL "$(set_errno other/f default_ttl 1h)"
same "get of a file" ENODATA "$(get_errno other/f default_ttl)"
same "remove of a file" ENODATA "$(remove_errno other/f default_ttl)"
same "remove of none" ENODATA "$(remove_errno s default_ttl)"
set_ s default_ttl 0.3
exec 6>s/short
check "a file that is written expires" until_true 10 sh -c '! test -e s/short'
echo orphan >&6
exec 6>&-
refuse "and does not come back" test -e s/short
touch s/empty
exec 5<s/empty
check "an empty one too" until_true 10 sh -c '! test -e s/empty'
check "its handle reads on" cat <&5
exec 5<&-
setfattr -x user.feox.default_ttl s

# ---- if_version
echo target >target
echo new >new
check "set" set_ new if_version "$(get target version)"
same "as set" "$(get target version)" "$(get new if_version)"
same "not listed" "" "$(names new)"
same "renamed" OK "$("$HELPER" rename-errno new target)"
same "the new one" new "$(cat target)"
same "the condition is gone" ENODATA "$(get_errno target if_version)"
echo newer >new
set_ new if_version "$(get target version)"
echo changed >target
same "the target has changed" ECANCELED "$("$HELPER" rename-errno new target)"
same "nothing changed" "changed newer" "$(cat target new | tr '\n' ' ' | sed 's/ $//')"
check "stored until it succeeds" has new if_version
exec 6>>target
set_ new if_version "$(get target version)"
echo staged >&6
same "the target has staged content" ECANCELED "$("$HELPER" rename-errno new target)"
exec 6>&-
rm target
same "there is no target" ECANCELED "$("$HELPER" rename-errno new target)"
check "clear" setfattr -x user.feox.if_version new
same "no condition" OK "$("$HELPER" rename-errno new target)"
for wrong in '' x -1 '1 ' 18446744073709551616; do
	same "if_version '$wrong'" EINVAL "$(set_errno target if_version "$wrong")"
done
same "remove of none" ENODATA "$(remove_errno target if_version)"

# ---- others
same "unknown" EINVAL "$(set_errno k nonsense 1)"
same "get unknown" ENODATA "$(get_errno k nonsense)"
same "remove unknown" ENODATA "$(remove_errno k nonsense)"
for name in security.x system.x trusted.x; do
	same "$name" EOPNOTSUPP "$("$HELPER" setxattr-errno k $name 1 any | sed s/ENOTSUP/EOPNOTSUPP/)"
done

# ---- eight clients at once
echo 0 >n
check "incr" "$HELPER" incr-many n 8 100
same "no increment is lost" 800 "$(cat n)"
# regression: who knew the new version could be shown the old content, which an open had kept while
# another one's order to drop it was on its way to the kernel
for _ in 1 2 3 4 5; do
	echo 0 >n
	check "count by cas" "$HELPER" cas-count n 8 200
	same "no swap is lost" 1600 "$(cat n)"
done
for round in 1 2 3 4 5; do
	same "exactly one winner in round $round" 1 "$("$HELPER" cas-race k 8 "$(get k version)")"
done

# ---- copies carry the expiry
mkdir tree
echo a >tree/a
echo b >tree/b
set_ tree/a ttl 1h
set_ tree default_ttl 1h
when=$(get tree/a expires_at)
cp -a tree copy
same "cp -a" "$when" "$(get copy/a expires_at)"
same "and default_ttl" 1h "$(get copy default_ttl)"
tar --xattrs --xattrs-include='user.*' -cf "$dir/t.tar" tree
mkdir untarred
tar --xattrs --xattrs-include='user.*' -xf "$dir/t.tar" -C untarred
same "tar" "$when" "$(get untarred/tree/a expires_at)"
if command -v rsync >/dev/null; then
	rsync -aX tree/ synced/
	same "rsync" "$when" "$(get synced/a expires_at)"
	same "a second rsync moves nothing" "" "$(rsync -aX --itemize-changes tree/ synced/)"
fi
remount
cd "$mnt" || die cd
same "also on disk" "$when" "$(get copy/a expires_at)"
same "and default_ttl" 1h "$(get copy default_ttl)"
finish
