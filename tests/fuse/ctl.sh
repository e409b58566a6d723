#!/usr/bin/env bash
# /.feox/ctl: every operation, every error, and what the mount shows of it at once.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || die "jq is needed"

ctl() {
	exec 3<>"$mnt/.feox/ctl"
	printf '%s\n' "$1" >&3
	cat <&3
	exec 3>&-
}
# ask REQUEST FILTER: one thing out of the answer
ask() { ctl "$1" | jq -r "$2"; }
ok() { same "$1" true "$(ask "$2" .ok)"; }
# fails DESCRIPTION ERRNO REQUEST [TEXT IN THE ERROR]
fails() {
	local answer
	answer=$(ctl "$3")
	same "$1" "false $2" "$(jq -r '"\(.ok) \(.errno)"' <<<"$answer")"
	case $(jq -r .error <<<"$answer") in
	*"${4-}"*) ;;
	*) bad "$1: '$4' is not in $answer" ;;
	esac
}
put() { ok "put $1" "{\"op\":\"put\",\"key\":\"$1\",\"value\":\"$2\"}"; }

start
cd "$mnt" || die cd

# ---- the protocol
exec 3<>.feox/ctl
printf '{"op":"put",' >&3
printf '"key":"pieces","value":"1"}\n{"op":"get","key":"pieces"}\n' >&3
same "pieces, and two requests in one write" "true true" "$(jq -r .ok <&3 | tr '\n' ' ' | sed 's/ $//')"
printf '\n  \r\n{"op":"get","key":"pieces"}\n' >&3
same "empty lines are none" 1 "$(jq -r .value <&3)"
same "nothing more to read" "" "$(cat <&3)"
exec 3>&-
echo '{"op":"put","key":"by echo","value":"x"}' >.feox/ctl
same "executed before the write returns" x "$(cat 'by echo')"
fails "no JSON" EINVAL 'nonsense' 'not a JSON object'
fails "no object" EINVAL '[1]' 'not a JSON object'
fails "no op" EINVAL '{}' 'op is missing'
fails "no such op" EINVAL '{"op":"drop"}' '"drop" is unknown'
fails "no such member" EINVAL '{"op":"get","key":"k","colour":1}' 'unknown member "colour"'
fails "twice" EINVAL '{"op":"get","key":"k","key":"l"}' 'duplicate'
fails "no key" EINVAL '{"op":"get"}' 'key is missing'
fails "a key of a kind" EINVAL '{"op":"get","key":1}' 'key: not a string'
fails "two keys" EINVAL '{"op":"get","key":"k","key_b64":"aw=="}' 'exclude each other'
fails "no base64" EINVAL '{"op":"get","key_b64":"*"}' 'key_b64: not base64'
head -c 20000 /dev/zero | tr '\0' k >"$dir/long"
fails "too long a key" ENAMETOOLONG "{\"op\":\"get\",\"key\":\"$(cat "$dir/long")\"}"

# ---- put and get
put a/b v
same "a file" v "$(cat a/b)"
same "its directory" b "$(ls a)"
version=$(ask '{"op":"get","key":"a/b"}' .version)
same "the version is a string" string "$(ask '{"op":"get","key":"a/b"}' '.version | type')"
same "of the file" "$version" "$(getfattr --only-values -n user.feox.version a/b)"
same "no ttl" null "$(ask '{"op":"get","key":"a/b"}' .ttl)"
fails "another version" ECANCELED '{"op":"put","key":"a/b","value":"w","if_version":"17"}' "a/b: version is $version, not 17"
ok "the version" "{\"op\":\"put\",\"key\":\"a/b\",\"value\":\"w\",\"if_version\":\"$version\"}"
same "replaced" w "$(cat a/b)"
fails "version of nothing" ECANCELED '{"op":"put","key":"zz","value":"w","if_version":"17"}' 'zz: no such key'
for wrong in '17' '"x"' '""' '"-1"' '"1 "' 'null' '"18446744073709551616"'; do
	fails "version $wrong" EINVAL "{\"op\":\"put\",\"key\":\"a/b\",\"value\":\"w\",\"if_version\":$wrong}" if_version
done
fails "if_absent" EEXIST '{"op":"put","key":"a/b","value":"w","if_absent":true}'
fails "if_present" ENOENT '{"op":"put","key":"zz","value":"w","if_present":true}'
fails "get of nothing" ENOENT '{"op":"get","key":"zz"}' 'zz: no such key'
fails "no value" EINVAL '{"op":"put","key":"zz"}' 'value is missing'
ok "binary" '{"op":"put","key_b64":"/y8A","value_b64":"AP8="}'
same "as it is" 00ff "$(od -An -tx1 <"$(printf '\377/%%=%%00')" | tr -d ' \n')"
same "and back" 'AP8=' "$(ask '{"op":"get","key_b64":"/y8A"}' .value_b64)"
ok "a NUL in JSON" '{"op":"put","key":"nul","value":"a\u0000b"}'
same "three bytes" 3 "$(stat -c %s nul)"
ok "the empty key" '{"op":"put","key":"","value":"root"}'
same "is the root's marker" root "$(cat %=)"
ok "gone" '{"op":"del","key":""}'
head -c 3000000 /dev/urandom >"$dir/big"
{
	printf '{"op":"put","key":"big","value_b64":"'
	base64 -w 0 <"$dir/big"
	printf '"}\n'
} >.feox/ctl
check "a large value" cmp "$dir/big" big
ctl '{"op":"get","key":"big"}' | jq -r .value_b64 | base64 -d >"$dir/back"
check "and back" cmp "$dir/big" "$dir/back"

# ---- ttl
ok "put with a ttl" '{"op":"put","key":"t","value":"v","ttl":50.5}'
left=$(ask '{"op":"get","key":"t"}' .ttl)
check "it runs: $left" awk "BEGIN { exit !($left > 40 && $left <= 50.5) }"
put t w
check "a put keeps it" getfattr -n user.feox.ttl t >/dev/null
ok "persist" '{"op":"ttl","key":"t","ttl":null}'
same "for ever" null "$(ask '{"op":"get","key":"t"}' .ttl)"
cat t >/dev/null
stat t >/dev/null
ok "ttl" '{"op":"ttl","key":"t","ttl":0.4}'
same "still there" w "$(cat t)"
check "ends for the kernel too" until_true 10 sh -c '! test -e t'
refuse "cat" cat t
fails "ttl of nothing" ENOENT '{"op":"ttl","key":"t","ttl":1}'
for wrong in 0 -1 '"1"' true 1e30; do
	fails "ttl $wrong" EINVAL "{\"op\":\"ttl\",\"key\":\"a/b\",\"ttl\":$wrong}" ttl
done
fails "no ttl" EINVAL '{"op":"ttl","key":"a/b"}' 'ttl is missing'
mkdir s
setfattr -n user.feox.default_ttl -v 100 s
put s/x 1
check "default_ttl counts" getfattr -n user.feox.ttl s/x >/dev/null
ok "unless told otherwise" '{"op":"put","key":"s/y","value":"1","ttl":null}'
refuse "for ever" getfattr -n user.feox.ttl s/y

# ---- del
ok "del" '{"op":"del","key":"a/b"}'
refuse "is gone" test -e a/b
refuse "and the directory that only it had proved" test -e a
fails "again" ENOENT '{"op":"del","key":"a/b"}'
put d v
fails "another version" ECANCELED '{"op":"del","key":"d","if_version":"1"}' 'd: version is'
ok "this version" "{\"op\":\"del\",\"key\":\"d\",\"if_version\":\"$(ask '{"op":"get","key":"d"}' .version)\"}"

# ---- cas
put k one
ok "by value" '{"op":"cas","key":"k","expected":"one","value":"two"}'
fails "another value" ECANCELED '{"op":"cas","key":"k","expected":"one","value":"three"}' 'k: the value is another one'
ok "by version" "{\"op\":\"cas\",\"key\":\"k\",\"if_version\":\"$(ask '{"op":"get","key":"k"}' .version)\",\"value\":\"three\"}"
fails "another version" ECANCELED '{"op":"cas","key":"k","if_version":"1","value":"four"}' 'not 1'
fails "of nothing" ENOENT '{"op":"cas","key":"zz","expected":"","value":"x"}'
fails "neither" EINVAL '{"op":"cas","key":"k","value":"x"}' 'expected or if_version'
same "the third" three "$(cat k)"

# ---- incr
same "a new counter" 5 "$(ask '{"op":"incr","key":"n","by":5}' .value)"
same "by one" 6 "$(ask '{"op":"incr","key":"n"}' .value)"
same "down" -1 "$(ask '{"op":"incr","key":"n","by":-7}' .value)"
same "in the file" -1 "$(cat n)"
fails "no number" EINVAL '{"op":"incr","key":"k"}' 'k: the value is not a decimal number'
fails "by what" EINVAL '{"op":"incr","key":"n","by":1.5}' 'by: not an integer'
put n 9223372036854775807
fails "overflow" ERANGE '{"op":"incr","key":"n"}'
fails "only if it is there" ENOENT '{"op":"incr","key":"zz","if_present":true}'
ok "with a ttl" '{"op":"incr","key":"rate","ttl":60}'
check "has it" getfattr -n user.feox.ttl rate >/dev/null

# ---- patch
put j '{\"a\": 1.10,  \"b\":[]}'
ok "patch" '{"op":"patch","key":"j","patch":[{"op":"add","path":"/b/-","value":12345678901234567890.10}]}'
same "bytes stay, digits too" '{"a": 1.10,  "b":[12345678901234567890.10]}' "$(cat j)"
fails "no such place" EINVAL '{"op":"patch","key":"j","patch":[{"op":"remove","path":"/z"}]}' 'j: operation 0'
fails "no patch" EINVAL '{"op":"patch","key":"j"}' 'patch is missing'
fails "not a patch" EINVAL '{"op":"patch","key":"j","patch":{}}' 'j: '
fails "unfinished" EINVAL '{"op":"patch","key":"j","patch":[' 'not a JSON object'
fails "of nothing" ENOENT '{"op":"patch","key":"zz","patch":[]}'

# ---- batch
put b1 old
ok "batch" '{"op":"batch","ops":[{"op":"put","key":"b1","value":"new"},{"op":"put","key":"b2","value":"2","ttl":100},{"op":"del","key":"k"}]}'
same "all of it" "new 2" "$(cat b1) $(cat b2)"
refuse "the delete too" test -e k
check "the ttl too" getfattr -n user.feox.ttl b2 >/dev/null
fails "all or nothing" ENOENT '{"op":"batch","ops":[{"op":"put","key":"b1","value":"lost"},{"op":"del","key":"zz"}]}' 'ops[1]: zz: no such key'
same "nothing" new "$(cat b1)"
same "which" 1 "$(ask '{"op":"batch","ops":[{"op":"put","key":"b1","value":"lost"},{"op":"put","key":"b2","value":"","if_absent":true}]}' .failed)"
fails "a version" ECANCELED '{"op":"batch","ops":[{"op":"put","key":"b1","value":"lost","if_version":"3"}]}' 'not 3'
fails "twice" EINVAL '{"op":"batch","ops":[{"op":"put","key":"b1","value":""},{"op":"del","key":"b1"}]}' 'twice'
fails "another op" EINVAL '{"op":"batch","ops":[{"op":"get","key":"b1"}]}' 'ops[0]: op: "get" is neither'
fails "no ops" EINVAL '{"op":"batch"}' 'ops is missing'
ok "empty" '{"op":"batch","ops":[]}'

# ---- range
for key in r/1 r/2 r/3 r/sub/4 ra; do put $key "v$key"; done
keys() { ask "$1" '[.items[].key] | join(" ")'; }
same "prefix" "r/1 r/2 r/3 r/sub/4" "$(keys '{"op":"range","prefix":"r/"}')"
same "from and to are in it" "r/2 r/3" "$(keys '{"op":"range","from":"r/2","to":"r/3"}')"
same "in reverse" "ra r/sub/4 r/3" "$(keys '{"op":"range","from":"r/3","to":"ra","reverse":true}')"
same "limit" "r/1 r/2" "$(keys '{"op":"range","prefix":"r/","limit":2}')"
same "next" r/3 "$(ask '{"op":"range","prefix":"r/","limit":2}' .next)"
same "no next at the end" null "$(ask '{"op":"range","prefix":"r/","limit":4}' .next)"
same "goes on there" "r/3 r/sub/4" "$(keys '{"op":"range","prefix":"r/","from":"r/3","limit":2}')"
same "values" "vr/1" "$(ask '{"op":"range","prefix":"r/","limit":1}' '.items[0].value')"
same "or not" null "$(ask '{"op":"range","prefix":"r/","limit":1,"keys_only":true}' '.items[0].value')"
same "nothing" "" "$(keys '{"op":"range","prefix":"zzz"}')"
for wrong in 0 -1 1.5 '"1"'; do
	fails "limit $wrong" EINVAL "{\"op\":\"range\",\"limit\":$wrong}" limit
done
fails "reverse" EINVAL '{"op":"range","reverse":1}' reverse
ok "sync" '{"op":"sync"}'
same "stats" number "$(ask '{"op":"stats"}' '.stats.keys | type')"

# ---- what the kernel had cached
refuse "a negative entry" test -e neg
put neg now
same "ends when the key is put" now "$(cat neg)"
refuse "of a directory" test -e new/deep/file
refuse "of the uppermost" test -e new
put new/deep/file v
same "likewise" v "$(cat new/deep/file)"
ls new >/dev/null
ok "del" '{"op":"del","key":"new/deep/file"}'
refuse "the directories have gone along" test -e new
echo 99 >n
cat n >/dev/null
exec 5<n
ok "incr" '{"op":"incr","key":"n"}'
same "not the cached value" 100 "$(cat n)"
same "neither on an open handle" 100 "$(cat <&5)"
exec 5<&-
put n 12345
same "nor the size" 5 "$(stat -c %s n)"
touch -d '2001-01-01 UTC' n
put n 1
check "mtime is now" test n -nt "$dir/big"
chmod 640 n
put n 2
same "the mode is kept" 640 "$(stat -c %a n)"

# ---- what is staged
exec 6>st
printf staged >&6
same "is the value" staged "$(ask '{"op":"get","key":"st"}' .value)"
same "in a range too" staged "$(ask '{"op":"range","from":"st","to":"st"}' '.items[0].value')"
printf more >&6
ok "compared with" '{"op":"cas","key":"st","expected":"stagedmore","value":"swapped!!!"}'
printf + >&6
same "the handle goes on from the result" 'swapped!!!+' "$(cat st)"
put st "put over it"
same "replaced" "put over it" "$(cat st)"
exec 6>&-
same "and stays so" "put over it" "$(cat st)"
exec 6<>st
echo written >&6
ok "del of what is staged" '{"op":"del","key":"st"}'
refuse "is gone" test -e st
echo more >&6
exec 6>&-
refuse "and stays gone" test -e st
echo 1 >both
exec 6>>both
echo 2 >&6
put both/below x
same "a file that becomes a directory is %=. in it" "1 2" "$(tr '\n' ' ' <both/%=. | sed 's/ $//')"
echo 3 >&6
exec 6>&-
same "its handles write there" "1 2 3" "$(tr '\n' ' ' <both/%=. | sed 's/ $//')"
exec 6>>both/%=.
echo 4 >&6
ok "del" '{"op":"del","key":"both/below"}'
echo 5 >&6
exec 6>&-
same "and back" "1 2 3 4 5" "$(tr '\n' ' ' <both | sed 's/ $//')"

# ---- many clients
put n 0
check "incr" "$HELPER" ctl-incr .feox/ctl 8 100
same "none is lost" 800 "$(cat n)"
put k x
for round in 1 2 3; do
	same "one winner in round $round" 1 "$("$HELPER" ctl-cas .feox/ctl 8 "$(ask '{"op":"get","key":"k"}' .version)")"
done

# ---- durable, and only a part mounted
put app/x in
put other out
ok "sync" '{"op":"sync"}'
kill9
start
same "after a kill" in "$(cat "$mnt/app/x")"
remount prefix=app/
same "full keys" in "$(ask '{"op":"get","key":"app/x"}' .value)"
fails "outside" EACCES '{"op":"get","key":"other"}' 'other: outside'
fails "a put too" EACCES '{"op":"put","key":"other","value":"1"}'
same "ranges show what is mounted" "app/x" "$(keys '{"op":"range"}')"
same "also with a prefix" "" "$(keys '{"op":"range","prefix":"oth"}')"
put app/new 1
same "at its place" 1 "$(cat "$mnt/new")"
finish
