#!/usr/bin/env bash
# Ordinary tools on ordinary files, and what of it is there after a remount.
. "$(dirname "$0")/lib.sh"

start
cd "$mnt" || die cd

# regression: the control files had the numbers of the first keys
for i in 1 2 3 4 5 6 7; do
	echo >"ino$i"
	for file in stats stats.json config.json; do
		check "cp .feox/$file" cp ".feox/$file" "ino$i"
	done
done
rm ino?

# cat, echo, append, empty, binary
echo one >a
same "echo >" one "$(cat a)"
echo two >>a
same "echo >>" "one
two" "$(cat a)"
echo three >a
same "overwrite" three "$(cat a)"
: >empty
same "empty size" 0 "$(stat -c %s empty)"
check "empty file exists" test -e empty
head -c 100000 /dev/urandom >"$dir/random"
cp "$dir/random" random
check "binary" cmp "$dir/random" random
printf 'a\0b\n\377' >nul
same "size with NUL" 5 "$(stat -c %s nul)"

# names
for name in 'with space' $'new\nline' 'üñí' '-dash' 'a%b' '100%' '%41' "quote'\"" '*' $'\x01\x7f'; do
	echo "$name" >"./$name"
	same "name $(printf %q "$name")" "$name" "$(cat "./$name")"
done
same "listed" 1 "$(find . -maxdepth 1 -name 'with space' | wc -l)"
long=$(printf 'x%.0s' $(seq 255))
echo long >"$long"
same "255 bytes" long "$(cat "$long")"
refuse "256 bytes" sh -c "echo >${long}x"
refuse "bad escape" sh -c 'echo >%=a'

# directories
mkdir d
mkdir -p d/e/f/g
check "mkdir -p" test -d d/e/f/g
refuse "mkdir of what is there" mkdir d
echo x >d/e/f/g/file
refuse "rmdir of a full one" rmdir d/e/f/g
rm d/e/f/g/file
check "a directory stays when its last file goes" test -d d/e/f/g
check "rmdir" rmdir d/e/f/g
refuse "gone" test -e d/e/f/g
same "nlink of a directory" 3 "$(stat -c %h d)"
refuse "rmdir of a file" rmdir a
refuse "rm of a directory" rm d
refuse "a file as a directory" sh -c 'echo >a/b'

# regression: a directory of the empty name counted its parent's empty marker as a file in it
mkdir -p e/%=/%= %=
check "rmdir %= below %=" rmdir e/%=/%=
check "rmdir %=" rmdir e/%=
check "rmdir %= in the root" rmdir %=
mkdir e/%=
echo value >e/%=/%=.
refuse "rmdir of %= with the marker's value in it" rmdir e/%=
check "rm of the marker's value" rm e/%=/%=.
check "rmdir %= again" rmdir e/%=
check "rmdir of what had it" rmdir e

# mv
echo moved >m1
mv m1 m2
same "mv" moved "$(cat m2)"
refuse "mv source" test -e m1
echo other >m3
mv m2 m3
same "mv over" moved "$(cat m3)"
mkdir -p from/sub
echo 1 >from/1
echo 2 >from/sub/2
mv from to
same "mv directory" "1 2" "$(cat to/1) $(cat to/sub/2)"
refuse "mv directory source" test -e from
mkdir target
mv to target/
same "mv into" 2 "$(cat target/to/sub/2)"
refuse "mv into itself" mv target target/to
echo new >tmp
mv tmp a
same "replace by rename" new "$(cat a)"
mkdir full && echo >full/x
mkdir empty2
refuse "mv over a full directory" mv -T empty2 full
check "mv over an empty directory" mv -T full empty2

# links, special files
ln -s a link
same "readlink" a "$(readlink link)"
same "through a link" new "$(cat link)"
ln -s nowhere dangling
refuse "dangling" cat dangling
refuse "hard link" ln a hard
mkfifo fifo
check "fifo" test -p fifo

# attributes
chmod 640 a
same "chmod" 640 "$(stat -c %a a)"
touch -d '2001-02-03 04:05:06.789' a
same "touch" "2001-02-03 04:05:06.789000000" "$(TZ=UTC stat -c %y a | cut -c1-29)"
# regression: 2300 was shown as 1715, an atime of 0 as the mtime
touch -d '2300-01-01 00:00:00' far
same "as late as can be" "2262-04-11 23:47:16.000000000" "$(TZ=UTC stat -c %y far | cut -c1-29)"
touch -m -d '1600-01-01 00:00:00' far
same "as early as can be" "1677-09-21 00:12:44.000000000" "$(TZ=UTC stat -c %y far | cut -c1-29)"
touch -a -d @0 far
same "an atime of 0" 0 "$(stat -c %X far)"
touch new-by-touch
check "touch makes" test -f new-by-touch
if [ "$(id -u)" -eq 0 ]; then
	chown 12:34 a
	same "chown" 12:34 "$(stat -c %u:%g a)"
fi

# sizes
truncate -s 10 t
same "truncate up" 10 "$(stat -c %s t)"
same "holes are zero" 10 "$(tr -d '\0' <t | wc -c | xargs -I{} expr 10 - {})"
echo 0123456789 >t
truncate -s 4 t
same "truncate down" 0123 "$(cat t)"
refuse "beyond the largest value" truncate -s 65M t
refuse "far beyond" truncate -s 8E t
printf XY | dd of=t bs=1 seek=2 conv=notrunc status=none
same "dd in the middle" 01XY "$(cat t)"
printf Z | dd of=t bs=1 seek=6 conv=notrunc status=none
same "dd behind the end" "$(printf '01XY\0\0Z' | od -c)" "$(od -c <t)"
fallocate -l 100 fa
same "fallocate" 100 "$(stat -c %s fa)"
dd if=/dev/urandom of="$dir/big" bs=1M count=64 status=none
cp "$dir/big" big
check "64 MiB" cmp "$dir/big" big
same "df knows the blocks" 1 "$(($(df --output=size "$mnt" | tail -n 1) > 1024 * 64))"
check "find" test "$(find . -type d -name sub | wc -l)" -eq 1
check "grep -r" grep -rq moved .

# trees
cp -a target copy
check "cp -a" diff -r --no-dereference target copy
tar cf "$dir/t.tar" target
mkdir untar && tar xf "$dir/t.tar" -C untar
check "tar" diff -r target untar/target
rm -r copy
refuse "rm -r" test -e copy

# open and gone
exec 5<>open-unlinked
echo still >&5
rm open-unlinked
same "unlinked but open" still "$(cat /proc/self/fd/5)"
exec 5>&-

cd "$mnt" || die cd
list() { (cd "$mnt" && find . -printf '%p %i %m %U %G %s %T@ %y %l\n' | sort); }
list >"$dir/before"
sums() { (cd "$mnt" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
sums >"$dir/sums"
remount
list >"$dir/after"
check "attributes, sizes, times and inode numbers persist" diff "$dir/before" "$dir/after"
check "contents persist" diff "$dir/sums" <(sums)

cd "$mnt" && rm -rf ./* && same "all removed" 0 "$(find . -mindepth 1 | wc -l)"

# regression: a write across the largest size changed nothing instead of filling the file up to it
remount max_value=1M
refuse "a write beyond the largest value" dd if=/dev/urandom of="$mnt/limit" bs=300000 count=10 status=none
same "as much as there is room for" 1048576 "$(stat -c %s "$mnt/limit")"
stop

# regression: a file needed room for itself and its last half again while it grew
rm "$store"
start max_size=100M
check "64 MiB of 100 MiB" dd if=/dev/zero of="$mnt/big" bs=1M count=64 status=none
check "then some" dd if=/dev/zero of="$mnt/rest" bs=1M count=24 status=none
refuse "then no more" dd if=/dev/zero of="$mnt/more" bs=1M count=24 status=none
rm "$mnt/more"
sums >"$dir/sums"
remount
check "all of a full store" diff "$dir/sums" <(sums)
stop
rm "$store"

# regression: reading filled the memory, and nothing could be made until the next mount
start max_size=100M
mkdir "$mnt/many"
for i in $(seq 40); do head -c 1000000 /dev/urandom >"$mnt/many/$i"; done
sums >"$dir/sums"
remount memory=16M
check "more than the memory is read" diff "$dir/sums" <(sums)
check "and something is made" sh -c "echo made >'$mnt/made'"
same "and read" made "$(cat "$mnt/made")"
stop

# regression: df promised all that max_size allows, whatever the disk below has room for
mkdir "$dir/small"
if mount -t tmpfs -o size=40M none "$dir/small" 2>/dev/null; then
	store=$dir/small/store.feox
	start max_size=1G
	check "df knows the disk below" test "$(df -k --output=avail "$mnt" | tail -n 1)" -lt 40960
	stop
	umount "$dir/small"
	store=$dir/store.feox
fi
finish
