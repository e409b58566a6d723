#!/usr/bin/env bash
# Real programs on the mount: git, sqlite3 with its journals, rsync.
. "$(dirname "$0")/lib.sh"

start
if command -v git >/dev/null; then
	export GIT_CONFIG_NOSYSTEM=1 HOME=$dir
	git config --global user.name tester
	git config --global user.email tester@localhost
	git config --global safe.directory '*'
	git config --global init.defaultBranch main
	mkdir "$mnt/repo"
	cd "$mnt/repo" || die cd
	check "git init" git init -q .
	cp -r /usr/include/linux . 2>/dev/null
	echo hello >file
	git add -A && git commit -qm one || bad "git commit"
	echo world >>file
	git commit -qam two || bad "git commit two"
	check "git fsck" git fsck --strict
	same "git log" 2 "$(git log --oneline | wc -l)"
	check "git gc" git gc -q
	git checkout -q HEAD~1 && same "checkout" hello "$(cat file)"
	git checkout -q main
	check "git clone" git clone -q "$mnt/repo" "$mnt/clone"
	cd / && remount
	cd "$mnt/repo" || die cd
	check "git fsck after a remount" git fsck --strict
	same "git status" "" "$(git status --porcelain)"
fi

if command -v sqlite3 >/dev/null; then
	cd "$mnt" || die cd
	for mode in delete wal memory; do
		db=$mnt/$mode.db
		sqlite3 "$db" "PRAGMA journal_mode=$mode; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
			BEGIN; $(for i in $(seq 500); do echo "INSERT INTO t(b) VALUES('row $i');"; done) COMMIT;" \
			>/dev/null || bad "sqlite3 $mode"
		for i in 1 2 3; do
			sqlite3 "$db" "UPDATE t SET b = b || '!' WHERE a % 7 = $i;" || bad "update $mode"
		done
		same "sqlite3 $mode count" 500 "$(sqlite3 "$db" 'SELECT count(*) FROM t')"
		same "sqlite3 $mode integrity" ok "$(sqlite3 "$db" 'PRAGMA integrity_check')"
	done
	cd / && remount
	for mode in delete wal memory; do
		same "sqlite3 $mode after a remount" ok "$(sqlite3 "$mnt/$mode.db" 'PRAGMA integrity_check')"
		same "rows" 500 "$(sqlite3 "$mnt/$mode.db" 'SELECT count(*) FROM t')"
	done
fi

if command -v rsync >/dev/null; then
	check "rsync" rsync -a /usr/include/linux "$mnt/rsync/"
	same "a second rsync moves nothing" 0 \
		"$(rsync -ai /usr/include/linux "$mnt/rsync/" | grep -c '^[<>c]')"
fi
finish
