#!/bin/sh
#
# install_deps.sh - install what building, the demo, the tests or the benchmarks need, from the distribution.
#
#   tests/tools/install_deps.sh build|demo|test|bench|coverage|systemd ...
#
# Silent when nothing is missing. Knows apt (Debian, Ubuntu), dnf (Fedora) and apk (Alpine). Installing starts
# and enables no service on this machine: Debian's packages would start haproxy and keepalived at once and at
# every boot.

set -eu

me=$0

die() {
	echo "install_deps.sh: $*" >&2
	exit 1
}

# ---- what each set needs, by package manager ----------------------------------------------------------------

packages_apt() {
	case $1 in
	build) echo gcc libc6-dev make pkg-config libnl-3-dev libnl-route-3-dev libmnl-dev libconfig-dev libevent-dev \
		libjansson-dev libcap-ng-dev libseccomp-dev libsystemd-dev libhiredis-dev \
		libcurl4-openssl-dev libpq-dev ;;
	demo) echo haproxy iproute2 socat python3 ;;
	bench) echo keepalived iproute2 python3 haproxy socat redis-server redis-tools postgresql openssl \
		etcd-server etcd-client vip-manager ;;
	test) echo libcmocka-dev binutils procps python3-pytest python3-scapy tshark keepalived nftables curl \
		redis-server redis-sentinel redis-tools openssl patroni postgresql pgbouncer etcd-server etcd-client \
		dbus-daemon python3-dbus python3-gi shellcheck prometheus fonts-dejavu-core bash-completion zsh fish tmux \
		clang "$(clang_runtime_apt)"
		# Ubuntu has browsers as snaps only, which do not run in network namespaces.
		grep -qx ID=ubuntu /etc/os-release 2>/dev/null || echo chromium ;;
	systemd) echo debootstrap ;;
	coverage) echo gcovr ;;
	esac
}

# libFuzzer and the sanitizers of clang: a package of their own since Debian 12, Ubuntu 23.04.
clang_runtime_apt() {
	case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null) in
	bullseye | focal | jammy) ;;
	*) echo libclang-rt-dev ;;
	esac
}

packages_dnf() {
	case $1 in
	build) echo gcc make pkgconf-pkg-config libnl3-devel libmnl-devel libconfig-devel libevent-devel \
		jansson-devel libcap-ng-devel libseccomp-devel systemd-devel hiredis-devel libcurl-devel \
		libpq-devel ;;
	demo) echo haproxy iproute socat python3 ;;
	bench) echo keepalived iproute python3 haproxy socat redis postgresql-server openssl ;;
	test) echo libcmocka-devel binutils procps-ng python3-pytest python3-scapy wireshark-cli keepalived nftables \
		curl redis openssl postgresql-server pgbouncer dbus-daemon python3-dbus python3-gobject \
		ShellCheck chromium dejavu-sans-fonts bash-completion zsh fish tmux clang compiler-rt ;;
	coverage) echo gcovr ;;
	esac
}

packages_apk() {
	case $1 in
	build) echo build-base pkgconf linux-headers libnl3-dev libmnl-dev libconfig-dev libevent-dev jansson-dev \
		libcap-ng-dev libseccomp-dev hiredis-dev curl-dev libpq-dev ;;
	demo) echo haproxy iproute2 socat python3 ;;
	bench) echo keepalived iproute2 python3 haproxy socat redis postgresql openssl ;;
	test) echo cmocka-dev binutils procps-ng py3-pytest scapy tshark keepalived nftables curl redis openssl \
		postgresql pgbouncer dbus py3-dbus py3-gobject3 shellcheck chromium font-dejavu bash-completion zsh fish tmux clang compiler-rt ;;
	coverage) echo gcovr ;;
	esac
}

# ---- what is missing ----------------------------------------------------------------------------------------

installed_apt() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p'
}

installed_dnf() {
	for p in "$@"; do
		rpm -q --whatprovides "$p" >/dev/null 2>&1 && echo "$p"
	done
	return 0
}

installed_apk() {
	for p in "$@"; do
		apk info -e "$p" >/dev/null 2>&1 && echo "$p"
	done
	return 0
}

# Print those of the arguments after the first that the package manager $1 does not have installed.
missing() {
	manager=$1
	shift
	have=" $("installed_$manager" "$@" | tr '\n' ' ') "
	for p in "$@"; do
		case $have in
		*" $p "*) ;;
		*) echo "$p" ;;
		esac
	done
}

# ---- installing ---------------------------------------------------------------------------------------------

POLICY=/usr/sbin/policy-rc.d
work=
own_policy=

all_installed() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u
}

# What systemd or the run levels would start at boot.
enabled_links() {
	find /etc/systemd/system /etc/rc[2-5S].d -type l 2>/dev/null | grep -E '\.(wants|requires)/|/S[0-9][^/]*$' | sort
}

# Disable what the packages installed by this call have enabled; what was enabled before stays as it was.
undo_enabling() {
	all_installed >"$work/after"
	enabled_links >"$work/links-after"
	new_packages=$(comm -13 "$work/before" "$work/after")
	[ -n "$new_packages" ] || return 0
	# shellcheck disable=SC2086 # one word per package
	dpkg-query -L $new_packages 2>/dev/null | sort -u >"$work/files"
	comm -13 "$work/links-before" "$work/links-after" | while read -r link; do
		unit=${link##*/}
		case $link in
		/etc/rc*)
			script=${unit#S[0-9][0-9]}
			grep -qx "/etc/init.d/$script" "$work/files" && rm -f "$link" &&
				ln -sf "../init.d/$script" "${link%/*}/K01$script"
			;;
		*)
			# what "systemctl disable" does; the package's next upgrade then leaves it disabled
			grep -qx -e "/lib/systemd/system/$unit" -e "/usr/lib/systemd/system/$unit" "$work/files" && rm -f "$link"
			;;
		esac
	done
}

finish() {
	status=$?
	trap '' INT TERM HUP
	trap - EXIT
	if [ -n "$work" ]; then
		undo_enabling || :
		rm -rf "$work"
	fi
	[ -z "$own_policy" ] || rm -f "$POLICY"
	exit "$status"
}

install_apt() {
	work=$(mktemp -d)
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	all_installed >"$work/before"
	enabled_links >"$work/links-before"
	if [ ! -e "$POLICY" ]; then
		own_policy=yes
		printf '#!/bin/sh\n# of install_deps.sh, which removes it: no service is started\nexit 101\n' >"$POLICY"
		chmod 755 "$POLICY"
	fi
	export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >"$work/log" 2>&1 || { cat "$work/log" >&2; echo "going on with the old lists" >&2; }
	if ! apt-get -qq install -y --no-install-recommends "$@" </dev/null >"$work/log" 2>&1; then
		cat "$work/log" >&2
		die "apt-get could not install: $*"
	fi
}

install_dnf() {
	dnf -q -y --setopt=install_weak_deps=False install "$@" || die "dnf could not install: $*"
}

install_apk() {
	apk -q add "$@" || die "apk could not install: $*"
}

# ---- main ---------------------------------------------------------------------------------------------------

[ $# -gt 0 ] || die "usage: $me build|demo|test|bench|coverage|systemd ..."

manager=
for candidate in apt:dpkg-query dnf:rpm apk:apk; do
	if command -v "${candidate#*:}" >/dev/null 2>&1; then
		manager=${candidate%%:*}
		break
	fi
done
[ -n "$manager" ] || die "no apt, dnf or apk here: install by hand: $(packages_apt build) $(packages_apt test)"

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $("packages_$manager" build)" ;;
	demo | bench | coverage) wanted="$wanted $("packages_$manager" build) $("packages_$manager" "$set")" ;;
	test) wanted="$wanted $("packages_$manager" build) $("packages_$manager" demo) $("packages_$manager" test)" ;;
	systemd)
		[ "$manager" = apt ] || die "the test with a systemd makes a Debian by debootstrap: it needs apt"
		wanted="$wanted $(packages_apt systemd)"
		;;
	*) die "no such set: $set (build, demo, test, bench, coverage, systemd)" ;;
	esac
done

# shellcheck disable=SC2086 # one word per package
lacking=$(missing "$manager" $wanted | sort -u | tr '\n' ' ')
[ -n "$lacking" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	die "packages are missing (${lacking% }); type: sudo $me $*"
fi
echo "Installing ${lacking% } (no service is started or enabled)"
# shellcheck disable=SC2086
"install_$manager" $lacking
