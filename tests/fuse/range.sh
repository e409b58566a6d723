#!/usr/bin/env bash
# /.feox/range: ranges as directories, names of every key in them, fresh each time.
. "$(dirname "$0")/lib.sh"

start
cd "$mnt" || die cd
r=.feox/range
mkdir -p user
for i in 1 2 3 4 5; do echo "value $i" >user/$i; done
echo a >a.b
check "a directory" test -d $r
same "mode" 500 "$(stat -c %a $r)"
same "not listed: endless" "" "$(ls $r)"
same "from and to are in it" "user%2F2 user%2F3 user%2F4" "$(echo $(ls $r/user%2F2..user%2F4))"
same "a value" "value 3" "$(cat $r/user%2F2..user%2F4/user%2F3)"
same "with a limit" "user%2F1 user%2F2" "$(echo $(ls $r/user%2F1..user%2F9@2))"
same "no upper bound" "user%2F4 user%2F5" "$(echo $(ls $r/user%2F4..))"
same "no lower bound" "a%2Eb user%2F" "$(echo $(ls $r/..user%2F) | sed 's/^% //')"
same "neither, and a limit" 3 "$(ls $r/..@3 2>/dev/null | wc -l)"
same "size" 8 "$(stat -c %s $r/u..v/user%2F3)"
same "mode" 400 "$(stat -c %a $r/u..v/user%2F3)"
same "ls -l" 5 "$(ls -l $r/user%2F1..user%2F9 | grep -c '^-r--------')"
refuse "before the range" test -e $r/user%2F2..user%2F4/user%2F1
refuse "behind it" test -e $r/user%2F2..user%2F4/user%2F5
refuse "no such key" test -e $r/user%2F2..user%2F4/user%2F33
for wrong in x a.b a..b@0 a..b@x a..b@-1 a..b@1@2 %zz..b a%..b %41..b a/..b; do
	refuse "range '$wrong'" test -d "$r/$wrong"
done
for wrong in user%2f3 %75ser%2F3 user.3 user@3; do
	refuse "key '$wrong'" test -e "$r/u..v/$wrong"
done
refuse "written" sh -c "echo x >$r/u..v/user%2F3"
refuse "removed" rm -f $r/u..v/user%2F3
refuse "made" touch $r/u..v/new
refuse "made" mkdir $r/dir
refuse "renamed" mv $r/u..v/user%2F3 .

# ---- never cached
ls $r/u..v >/dev/null
exec 5<$r/u..v/user%2F3
echo changed >user/3
same "a change is seen" changed "$(cat $r/u..v/user%2F3)"
same "an open one has its value" "value 3" "$(cat <&5)"
exec 5<&-
echo 6 >user/6
check "a new key" test -e $r/u..v/user%2F6
check "is listed" sh -c "ls $r/u..v | grep -qx user%2F6"
rm user/6
refuse "a removed one" test -e $r/u..v/user%2F6
setfattr -n user.feox.ttl -v 0.2 user/5
check "an expired one" until_true 10 sh -c "! test -e $r/u..v/user%2F5 && ! ls $r/u..v | grep -qx user%2F5"
exec 6>user/staged
echo staged >&6
same "what is staged" staged "$(cat $r/u..v/user%2Fstaged)"
echo more >&6
same "its size" 12 "$(stat -c %s $r/u..v/user%2Fstaged)"
exec 6>&-
(
	cd $r/u..v || exit 1
	same "a shell works in it" changed "$(cat user%2F3)"
	same "and knows where it is" "$(pwd -P)" "$(readlink /proc/self/cwd)"
	exit $failures
) || bad "in the directory"

# ---- every key has a name
cd /
stop
rm "$store"
"$HELPER" odd-keys "$store"
start
cd "$mnt/.feox/range/..@1000000" || die cd
count=0
for f in *; do
	count=$((count + 1))
	# each key's value is its own hex
	grep -qxE '[0-9a-f]*' "$f" || [ ! -s "$f" ] || bad "value of $f"
done
same "every key is listed and opens" "$("$HELPER" odd-count)" $count
same "three are cut, by their hash" 3 "$(ls | grep -cE '~[0-9a-f]{16}$')"
check "none is longer than a name may be" sh -c 'ls | awk "length > 255 { exit 1 }"'
same "dots and slashes" "$(printf d/../x | od -An -tx1 | tr -d ' \n')" "$(cat d%2F%2E%2E%2Fx)"
same "a NUL" "$(printf 'with\0nul' | od -An -tx1 | tr -d ' \n')" "$(cat with%00nul)"

# ---- many, and a part mounted
cd "$mnt" || die cd
awk 'BEGIN { printf "{\"op\":\"batch\",\"ops\":["; for (i = 0; i < 20000; i++) printf "%s{\"op\":\"put\",\"key\":\"m/%05d\",\"value\":\"%d\"}", i ? "," : "", i, i; print "]}" }' >.feox/ctl
same "each once" 20000 "$(ls -U $r/m%2F..m%2Fz | sort -u | wc -l)"
same "in order" m%2F00000 "$(ls -U $r/m%2F..m%2Fz | head -n 1)"
same "the limit" 12345 "$(ls -U $r/m%2F..m%2Fz@12345 | wc -l)"
remount prefix=m/
cd "$mnt" || die cd
same "full keys" 42 "$(cat $r/m%2F..n/m%2F00042)"
same "nothing else" m%2F00000 "$(ls -U $r/a..z | head -n 1)"
refuse "not even by name" test -e $r/a..z/plain
finish
