#!/usr/bin/env bash
# A time to live by setfattr: it runs down, ends on time for everybody, also across a remount.
. "$(dirname "$0")/lib.sh"

ttl() { getfattr --only-values -n user.feox.ttl "$1" 2>/dev/null; }
gone() { ! cat "$1" >/dev/null 2>&1 && ! stat "$1" >/dev/null 2>&1 && ! ls | grep -qx "$1"; }

start
cd "$mnt" || die cd
echo v >k
refuse "no ttl at first" getfattr -n user.feox.ttl k
setfattr -n user.feox.ttl -v 30 k
left=$(ttl k)
check "seconds left: $left" awk "BEGIN { exit !($left > 20 && $left <= 30) }"
check "they decrease" until_true 5 sh -c "[ \$(getfattr --only-values -n user.feox.ttl k) != $left ]"
setfattr -n user.feox.ttl -v 10m k
left=$(ttl k)
check "10m: $left" awk "BEGIN { exit !($left > 590 && $left <= 600) }"
check "expires_at is listed" sh -c 'getfattr -d k | grep -q user.feox.expires_at'
setfattr -x user.feox.ttl k
refuse "removed" getfattr -n user.feox.ttl k
for wrong in abc -5 '' 5x 0; do
	refuse "ttl '$wrong'" setfattr -n user.feox.ttl -v "$wrong" k
done
same "unharmed" v "$(cat k)"

# Cached by the kernel in every way, then gone on time.
cat k >/dev/null
stat k >/dev/null
ls >/dev/null
setfattr -n user.feox.ttl -v 0.5 k
same "still there" v "$(cat k)"
check "gone" until_true 10 gone k
refuse "cat" cat k
refuse "stat" stat k
same "ls" "" "$(ls)"
echo again >k
same "can be made anew" again "$(cat k)"
refuse "and lives on" getfattr -n user.feox.ttl k

# Rewriting keeps it, rename takes the source's along.
setfattr -n user.feox.ttl -v 100 k
echo rewritten >k
check "kept by a rewrite" getfattr -n user.feox.ttl k
mv k l
check "carried by rename" getfattr -n user.feox.ttl l

# A directory that exists by an expired file only, and rmdir over an expired child.
mkdir d
echo x >d/x
setfattr -n user.feox.ttl -v 0.3 d/x
check "child expires" until_true 10 sh -c '! test -e d/x'
check "rmdir ignores what has expired" rmdir d

# regression: an expired file that was still open could not be renamed over
echo expired >over
setfattr -n user.feox.ttl -v 0.3 over
exec 5<over
check "it expires" until_true 10 sh -c '! test -e over'
echo new >tmp
check "rename over an expired open file" mv tmp over
same "the new one" new "$(cat over)"
same "the handle keeps the old one" expired "$(cat <&5)"
exec 5<&-
rm over

# regression: a reader lost its snapshot when the TTL was set while the file was being written
echo one >snap
exec 5>>snap
echo two >&5
exec 6<snap
setfattr -n user.feox.ttl -v 0.3 snap
exec 5>&-
check "it expires" until_true 10 sh -c '! test -e snap'
same "what was written is kept for the reader" "one two" "$(cat <&6 | tr '\n' ' ' | sed 's/ $//')"
exec 6<&-

# Across a remount.
echo soon >soon
echo later >later
setfattr -n user.feox.ttl -v 1 soon
setfattr -n user.feox.ttl -v 100 later
remount
cd "$mnt" || die cd
check "expires after the remount" until_true 10 gone soon
same "the other lives" later "$(cat later)"
check "with its ttl" getfattr -n user.feox.ttl later
check "swept" until_true 20 sh -c "! grep -q '^keys *[89]' .feox/stats"

# Other xattrs are only stored.
setfattr -n user.color -v blue later
same "user.color" blue "$(getfattr --only-values -n user.color later)"
refuse "create of what is there" "$HELPER" xattr-create later user.color
setfattr -n user.empty later
check "an empty one" getfattr -n user.empty later
setfattr -x user.color later
refuse "removed" getfattr -n user.color later
refuse "unknown user.feox" setfattr -n user.feox.nonsense -v 1 later
refuse "outside of user" setfattr -n trusted.x -v 1 later
head -c 70000 /dev/zero | tr '\0' x >"$dir/huge"
refuse "more than 64 KiB in all" "$HELPER" xattr-fill later 70000
remount
cd "$mnt" || die cd
check "xattrs persist" getfattr -n user.empty later
same "version is a number" 1 "$(getfattr --only-values -n user.feox.version later | grep -cE '^[0-9]+$')"
same "key" "$(printf later | od -An -tx1 | tr -d ' \n')" "$(getfattr --only-values -n user.feox.key later)"
finish
