#!/usr/bin/env bash
# Keys that were put in by the library, odd ones too: each shows once, and reads by its path.
. "$(dirname "$0")/lib.sh"

"$HELPER" odd-keys "$store" || die "odd keys"
start
cd "$mnt" || die cd
find . -type f -printf '%P\0' | sort -z >"$dir/found"
# Each value is its key in hex; each path's user.feox.key must be the same.
count=0
while IFS= read -r -d '' path; do
	same "key of $(printf %q "$path")" "$(cat "./$path")" \
		"$(getfattr --only-values -n user.feox.key "./$path" 2>/dev/null)"
	count=$((count + 1))
done <"$dir/found"
same "every key shows" "$("$HELPER" odd-count)" "$count"
same "and once" "$count" "$(sort -zu "$dir/found" | tr -cd '\0' | wc -c)"
check "a key that is also a directory" test -d both
same "its value" "$(printf both | od -An -tx1 | tr -d ' \n')" "$(cat both/%=.)"
check "cp -r keeps it" sh -c 'cp -r both copy && diff -r both copy'
mv both moved
same "renaming the directory carries it" "$(printf both | od -An -tx1 | tr -d ' \n')" "$(cat moved/%=.)"
rm -r copy moved
stop
finish
