#!/usr/bin/env bash
# Real trees: copied, archived, compared before and after remount and after kill -9.
. "$(dirname "$0")/lib.sh"

sums() { (cd "$mnt" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }

start
for tree in /usr/share/doc /usr/include; do
	[ -d $tree ] && check "cp -a $tree" cp -a $tree "$mnt/"
done
mkdir "$mnt/tar"
# Some 10,000 files through tar.
tar -C /usr -cf - lib/python3 share/perl share/python3 include 2>/dev/null | tar -C "$mnt/tar" -xf -
echo "$(find "$mnt" | wc -l) files"
for tree in /usr/share/doc /usr/include; do
	[ -d $tree ] && check "diff $tree" diff -r --no-dereference $tree "$mnt/$(basename $tree)"
done
check "diff tar" diff -r --no-dereference /usr/include "$mnt/tar/include"
before=$(sums)
remount
same "after a remount" "$before" "$(sums)"
for tree in /usr/share/doc /usr/include; do
	[ -d $tree ] && check "diff $tree" diff -r --no-dereference $tree "$mnt/$(basename $tree)"
done

cp -a /usr/include "$mnt/again"
before=$(sums)
sync "$mnt/again" # fsync of a directory: everything is durable
kill9
start
same "after fsync and kill -9" "$before" "$(sums)"
check "diff after kill -9" diff -r --no-dereference /usr/include "$mnt/again"

# Moved as a whole, removed as a whole.
mv "$mnt/again" "$mnt/moved"
check "mv of a tree" diff -r --no-dereference /usr/include "$mnt/moved"
rm -rf "$mnt/moved"
refuse "rm -rf of a tree" test -e "$mnt/moved"
tar -C "$mnt" -cf - include | tar -tf - >/dev/null || bad "tar out"
finish
