#!/usr/bin/env bash
# The library as it is installed: what is visible in it, and docs/engine.md's program built on it.
# $1: the build, whose installation this is; SOURCE: the project.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$1" --no-rebuild --quiet
prefix=$(meson introspect "$1" --buildoptions |
	python3 -c 'import json,sys; print([o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"][0])')
pc=$(find "$root" -name libfeox.pc)
lib=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=${pc%/*}

names() { nm "$@" | awk '$2 ~ /[TDBRVW]/ {print $3}' | sort -u; }
if names -D --defined-only "$lib"/libfeox.so | grep -v '^feox_'; then
	echo "libfeox.so shows names that are not feox_"
	exit 1
fi
grep -o 'FEOX_API [^;]*' "$SOURCE"/include/feox/feox.h | grep -o 'feox_[a-z_]*(' | tr -d '(' | sort -u >"$root/declared"
names -D --defined-only "$lib"/libfeox.so >"$root/defined"
diff "$root/declared" "$root/defined"

sed -n '/^```c$/,/^```$/p' "$SOURCE"/docs/engine.md | sed '1d;$d' >"$root/visits.c"
cc=${CC:-cc}
pkg() { pkg-config --define-variable=prefix="$root$prefix" "$@" libfeox; }
build() { # $1: program; the rest: how to link
	local program=$1
	shift
	# shellcheck disable=SC2046
	$cc -Wall -Wextra -Werror -o "$program" "$root/visits.c" $(pkg --cflags) "$@"
}
# shellcheck disable=SC2046
build "$root/shared" $(pkg --libs)
# shellcheck disable=SC2046
build "$root/static" -L"$lib" -Wl,-Bstatic -lfeox -Wl,-Bdynamic $(pkg --libs --static | sed 's/-lfeox//')
! ldd "$root/static" | grep -q libfeox

expect() { # $1: what it should say; the rest: the program
	local expected=$1 got
	shift
	got=$("$@")
	[ "$got" = "$expected" ] || { printf '%s: "%s", not "%s"\n' "$*" "$got" "$expected"; exit 1; }
}
export LD_LIBRARY_PATH=$lib
expect $'visits/last = you\nvisits/today = 1' "$root/shared" "$root/visits.feox"
expect $'visits/last = you\nvisits/today = 2' "$root/static" "$root/visits.feox"
expect $'visits/last = you\nvisits/today = 1' "$root/static"
