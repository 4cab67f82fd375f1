#!/bin/sh
#
# check_layers.sh - who includes whom: the table of vrrpd/README.md, checked.
#
#   tests/tools/check_layers.sh
#
# Also: files have a header comment, and the core's headers compile alone.

set -eu
cd "$(dirname "$0")/../.."
bad=0

# folder: folders of ours that it may include, itself aside
rules='
base:
proto: base
elect: base proto
ipc: base proto
config: base
sys: base
engine: base proto elect ipc sys netlink
agent: base proto elect ipc sys
parent: base elect proto config ipc sys netlink
ctl: base sys
'

for folder in $(echo "$rules" | sed -n 's/^\([a-z]*\):.*/\1/p'); do
	may=$(echo "$rules" | sed -n "s/^$folder://p")
	used=$(sed -n 's/^#include "\([a-z_]*\)\/.*/\1/p' "vrrpd/$folder"/*.[ch] | sort -u)
	for u in $used; do
		case " $folder $may " in
		*" $u "*) ;;
		*) echo "vrrpd/$folder includes $u/: not in its layer"; bad=1 ;;
		esac
	done
done

if grep -n '#include "\(base\|proto\|elect\|ipc\|sys\|engine\|agent\|parent\|config\)/' netlink/*.[ch]; then
	echo "netlink/ must know nothing of vrrpd/"
	bad=1
fi

# Third-party interfaces stay behind one module each.
only() {
	pattern=$1
	shift
	found=$(grep -l "#include <$pattern" vrrpd/*/*.[ch] netlink/*.[ch] 2>/dev/null | grep -vE "^($(echo "$*" | tr ' ' '|'))" || true)
	[ -z "$found" ] || { echo "<$pattern is included by: $found"; bad=1; }
}
only libconfig.h vrrpd/config/
only netlink/ netlink/
only libmnl/ netlink/
only jansson.h vrrpd/agent/ vrrpd/ctl/
only seccomp.h vrrpd/sys/
only cap-ng.h vrrpd/sys/
only systemd/ vrrpd/sys/notify.c vrrpd/agent/check_unit.c
only hiredis/ vrrpd/agent/net_resp.c
only curl/ vrrpd/agent/net_
only libpq-fe.h vrrpd/agent/check_postgres.c
only event2/ vrrpd/sys/loop.c vrrpd/agent/ vrrpd/ctl/

for f in vrrpd/*/*.[ch] netlink/*.[ch]; do
	[ "$(head -c 2 "$f")" = "/*" ] || { echo "$f does not begin by saying what it is for"; bad=1; }
done
exit "$bad"
