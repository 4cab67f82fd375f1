#!/bin/sh
#
# check_pure.sh - the pure archives call nothing of the outside world, and no program links what it may not call.
#
#   tests/tools/check_pure.sh [BUILD]
#
# Reads undefined symbols: proto and elect may use each other, base, the assertion hook and four memory functions;
# base may format text besides. The engine links no HTTP, JSON or configuration library.

set -eu
build=${1:-build}
bad=0

defined() { nm --defined-only -g "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u; }
undefined() { nm -u "$1" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u; }

core=$(mktemp) && allowed=$(mktemp)
trap 'rm -f "$core" "$allowed"' EXIT
defined "$build/libbase.a" "$build/libproto.a" "$build/libelect.a" >"$core"
[ -s "$core" ] || { echo "no symbols found in $build: build first" >&2; exit 1; }

# Compiler support that comes with the hardening flags is no call of ours.
support="__stack_chk_fail _GLOBAL_OFFSET_TABLE_"
checked="memcpy memmove memset memcmp strlen strcmp __memcpy_chk __memset_chk __memmove_chk"
text="vsnprintf snprintf __vsnprintf_chk __snprintf_chk inet_pton inet_ntop strchr strcspn strspn strnlen strerrordesc_np"

check() {
	archive=$1
	shift
	{ cat "$core"; printf '%s\n' assert_fail $support $checked "$@"; } | sort -u >"$allowed"
	extra=$(undefined "$build/lib$archive.a" | comm -23 - "$allowed")
	if [ -n "$extra" ]; then
		echo "lib$archive.a calls what a pure archive may not:" $extra
		bad=1
	fi
}

check proto
check elect
# shellcheck disable=SC2086 # one word per symbol
check base $text

for program in vrrpd-engine:'libcurl|libjansson|libconfig|libhiredis|libpq|libssl|libcrypto|libsystemd' \
	vrrpd-agent:'libnl|libmnl|libnftnl|libconfig' vrrpd:'libcurl|libjansson|libnl-|libhiredis|libpq|libssl|libcrypto'; do
	file=$build/${program%%:*}
	needed=$(objdump -p "$file" | awk '$1 == "NEEDED" { print $2 }')
	[ -n "$needed" ] || { echo "$file links nothing: is it built?"; bad=1; }
	if echo "$needed" | grep -E "^(${program#*:})"; then
		echo "$file links a library that it must not"
		bad=1
	fi
done
exit "$bad"
