#!/usr/bin/env bash
# What people do all day: editors that save, archives, a build, locks made by scripts, programs that
# rely on fsync(2), and a storm of odd file operations.
. "$(dirname "$0")/lib.sh"

start

# ---- Editors: they write beside, rename, and put the mode back --------------------------------------
edited=$mnt/notes.txt
printf 'one\ntwo\n' >"$edited"
chmod 640 "$edited"
check "vim saves" timeout 60 vim.tiny -u NONE -es -c '%s/two/three/' -c 'wq' "$edited"
same "after vim" $'one\nthree' "$(cat "$edited")"
for copy in yes no; do # in place, or by a new file and rename(2)
	check "vim, backupcopy=$copy" timeout 60 vim.tiny -u NONE -es -c "set backup backupcopy=$copy" \
		-c "normal Go$copy" -c 'wq' "$edited"
	same "after vim, backupcopy=$copy" "$copy" "$(tail -n1 "$edited")"
	same "its mode" 640 "$(stat -c %a "$edited")"
done
# ^O, Enter: save; ^X: leave. In a terminal, which script(1) makes.
printf 'nano\n' >"$mnt/nano.txt"
type_into_nano() {
	until_true 20 grep -aq 'GNU nano' "$dir/nano.log"
	printf 'typed \017\r'
	until_true 20 grep -q typed "$mnt/nano.txt"
	printf '\030'
}
type_into_nano | TERM=xterm timeout 60 script -qfec "nano -I $mnt/nano.txt" "$dir/nano.log" >/dev/null 2>&1
same "nano saves" "typed nano" "$(cat "$mnt/nano.txt")"

# ---- Archives ---------------------------------------------------------------------------------------
mkdir -p "$mnt/tree/deep/er"
cp -r /usr/include/linux/netfilter "$mnt/tree/deep/"
ln -s ../deep "$mnt/tree/link"
setfattr -n user.note -v kept "$mnt/tree/deep/netfilter"
tar -C "$mnt" --xattrs --xattrs-include='user.*' -cf "$dir/tree.tar" tree || bad "tar"
mkdir "$mnt/back"
tar -C "$mnt/back" --xattrs --xattrs-include='user.*' -xf "$dir/tree.tar" || bad "tar -x"
check "the archive holds what it should" diff -r --no-dereference "$mnt/tree" "$mnt/back/tree"
same "xattr through tar" kept \
	"$(getfattr --absolute-names --only-values -n user.note "$mnt/back/tree/deep/netfilter")"
same "a second rsync -aX moves nothing" "" \
	"$(rsync -aX "$mnt/tree" "$mnt/rsync/" && rsync -aXi "$mnt/tree" "$mnt/rsync/")"

# ---- A build, and its result run from the mount -----------------------------------------------------
mkdir "$mnt/project"
cat >"$mnt/project/main.c" <<'C'
#include <stdio.h>
int answer(void);
int main(void) { return printf("%d\n", answer()) < 0; }
C
echo 'int answer(void) { return 42; }' >"$mnt/project/answer.c"
printf 'answer: main.o answer.o\n\t$(CC) -o $@ $^\n' >"$mnt/project/Makefile"
check "make" make -s -C "$mnt/project"
same "the program runs" 42 "$("$mnt/project/answer")"
same "make has nothing to do" "make: 'answer' is up to date." "$(cd "$mnt/project" && make)"
touch -d '1 minute ago' "$mnt/project/"{answer,*.o} && touch "$mnt/project/answer.c"
check "make again" make -s -C "$mnt/project"
remount
same "the program runs after a remount" 42 "$("$mnt/project/answer")"

# ---- Locks of scripts: one of many gets it ----------------------------------------------------------
take_locks() { # $1: how; prints a line for each lock that this process got
	local i
	for i in $(seq 50); do
		case $1 in
		mkdir) mkdir "$mnt/lock-$1-$i" 2>/dev/null && echo "$i" ;;
		*) (set -C && : >"$mnt/lock-$1-$i") 2>/dev/null && echo "$i" ;;
		esac
	done
}
for how in mkdir excl; do
	for n in 1 2 3 4; do take_locks $how >"$dir/got-$how-$n" & done
	wait
	same "each $how lock is had once" "$(seq 50)" "$(sort -n "$dir/got-$how"-?)"
done
echo 0 >"$mnt/counter"
count() {
	local i
	for i in $(seq 25); do
		flock "$mnt/counter.lock" sh -c 'echo $(($(cat "$1") + 1)) >"$1"' - "$mnt/counter"
	done
}
for n in 1 2 3 4; do count & done
wait
same "flock(1) keeps a counter right" 100 "$(cat "$mnt/counter")"

# ---- A database's way: write, fsync, read back and verify ------------------------------------------
fio_run() { # the rest: options
	timeout 300 fio --directory="$mnt" --verify=crc32c --verify_fatal=1 --do_verify=1 \
		--randrepeat=1 --output="$dir/fio.log" "$@" || { cat "$dir/fio.log" >&2; return 1; }
}
check "fio, a log with fdatasync" fio_run --name=log --rw=write --bs=8k --size=4m --fdatasync=1
check "fio, random pages with fsync" fio_run --name=pages --rw=randwrite --bs=8k --size=8m --fsync=16
check "fio, mapped" fio_run --name=mapped --rw=randwrite --bs=4k --size=4m --ioengine=mmap
remount
check "fio, verified after a remount" fio_run --name=pages --rw=randwrite --bs=8k --size=8m --verify_only

# ---- Everything else at once ------------------------------------------------------------------------
# (copy-file wants files of 128 MiB, twice what a file may have by default.)
storm=access,chmod,chown,dentry,dir,dirdeep,fallocate,fcntl,fiemap,file-ioctl,filename,flock
storm=$storm,fstat,hdd,iomix,lease,lockf,locka,mknod,open,rename,seek,symlink,sync-file,touch,utime,xattr
mkdir -m 1777 "$mnt/storm"
failed=
for stressor in ${storm//,/ }; do
	timeout 60 stress-ng --"$stressor" 2 --"$stressor"-ops 20 --iomix-bytes 16m --hdd-bytes 16m --timeout 5 --temp-path "$mnt/storm" \
		>"$dir/stress.log" 2>&1
	case $? in
	0 | 3 | 4) ;; # done; not for this machine; not for a filesystem like this
	*) failed="$failed $stressor" && cat "$dir/stress.log" >&2 ;;
	esac
done
same "stressors that fail" "" "$failed"
same "it is still there" 42 "$("$mnt/project/answer")"
finish
