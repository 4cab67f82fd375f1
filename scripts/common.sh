# shellcheck shell=sh disable=SC2034,SC2154 # set here and used there, or the other way round
# common.sh - what the check and notify scripts of this folder share: options, secrets, curl, JSON, transitions.
#
# A script defines usage() and option() and calls parse "$@". Every verdict is one line on standard output.

set -u
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
export LC_ALL PATH
me=${0##*/}
newline='
'
tab=$(printf '\t')

# ---- verdicts and options -----------------------------------------------------------------------------------

# One line for people, control characters and all but the first line dropped, then the verdict.
finish() {
	printf '%s\n' "$2" | head -n 1 | tr -d '\000-\010\013-\037'
	exit "$1"
}

misuse() {
	printf '%s: %s; see --help\n' "$me" "$1"
	exit 1
}

# Hand each option to option NAME VALUE, which returns 1 when it knows none of that name and sets words=1 when it
# takes no value. Where the script takes words after its options (takes_words=yes), $rest of them remain.
parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		-*)
			words=2
			option "$1" "${2-}" || misuse "there is no option \"$1\""
			[ $# -ge "$words" ] || misuse "$1 needs a value"
			shift "$words"
			;;
		*)
			[ -n "${takes_words-}" ] || misuse "there is no option \"$1\""
			break
			;;
		esac
	done
	rest=$#
}

need_number() {
	case $2 in
	'' | *[!0-9]* | ??????????*) misuse "$1 takes a number, not \"$2\"" ;;
	esac
}

# timeout(1) takes 0 for no limit at all.
need_seconds() {
	case $2 in
	'' | *[!0-9.]* | *.*.* | .) misuse "$1 takes seconds, not \"$2\"" ;;
	*[1-9]*) ;;
	*) misuse "$1 takes seconds, more than 0" ;;
	esac
}

# Two options with their values that are nothing without each other.
need_both() {
	[ -z "$2" ] || [ -n "$4" ] || misuse "$1 goes with $3"
	[ -z "$4" ] || [ -n "$2" ] || misuse "$3 goes with $1"
}

need_program() {
	command -v "$1" >/dev/null 2>&1 || finish 1 "$me needs $1: install the package $2"
}

# Run a command for at most $timeout_s. Status 124: it was not done by then (busybox says 143).
limited() {
	timeout "$timeout_s" "$@"
	limited_status=$?
	[ "$limited_status" -ne 143 ] || return 124
	return "$limited_status"
}

# Set host and port from HOST, HOST:PORT, [IPV6] or [IPV6]:PORT; $3 is the port when none is named.
split_address() {
	port=$3
	case $2 in
	'['*']') host=${2#?} host=${host%?} ;;
	'['*']:'*) host=${2#?} host=${host%%]*} port=${2##*]:} ;;
	*:*:* | '['*) misuse "$1 takes HOST:PORT, and [IPV6]:PORT for IPv6, not \"$2\"" ;;
	*:*) host=${2%:*} port=${2#*:} ;;
	*) host=$2 ;;
	esac
	[ -n "$host" ] || misuse "$1 takes HOST:PORT, not \"$2\""
	need_number "the port of $1" "$port"
}

# ---- secrets ------------------------------------------------------------------------------------------------

# Refuse a file with secrets that others may read.
need_private() {
	[ -f "$2" ] || finish 1 "$1: $2 is no file: write the path of a file that holds the secret"
	[ -r "$2" ] || finish 1 "$1: $2 cannot be read as $(id -un): run chown $(id -un) on it"
	case $(ls -ldL -- "$2") in
	-???------*) ;;
	*) finish 1 "$1: others than its owner may use $2: run chmod 600 on it" ;;
	esac
	[ -s "$2" ] || finish 1 "$1: $2 is empty: write the secret into it"
}

# Set secret to the only line of a file.
read_secret() {
	need_private "$1" "$2"
	secret=$(cat "$2")
	case $secret in
	'') finish 1 "$1: $2 is empty: write the secret into its only line" ;;
	*"$newline"*) finish 1 "$1: $2 holds more than one line: write the secret into its only line" ;;
	esac
}

# ---- HTTP ---------------------------------------------------------------------------------------------------

cacert='' cert='' key=''
no_proxy_line='noproxy = "*"' # for services of our own hosts, whatever the environment says

tls_option() {
	case $1 in
	--cacert) cacert=$2 ;;
	--cert) cert=$2 ;;
	--key) key=$2 ;;
	*) return 1 ;;
	esac
}

need_url() {
	case $2 in
	http://?* | https://?*) ;;
	*) misuse "$1 takes a URL that begins with http:// or https://, not \"$2\"" ;;
	esac
}

# A line of curl's configuration. curl reads it from its standard input: its arguments are in the process list.
curl_line() {
	printf '%s = "%s"\n' "$1" "$(printf '%s\n' "$2" | sed 's/["\\]/\\&/g')"
}

# http URL [LINES]: ask once, with more lines for curl's configuration. Sets http_status and body, and http_error
# when there is no answer. -q keeps a user's .curlrc out.
http() {
	answer=$(
		{
			curl_line url "$1"
			[ -z "$cacert" ] || curl_line cacert "$cacert"
			[ -z "$cert" ] || curl_line cert "$cert"
			[ -z "$key" ] || curl_line key "$key"
			printf '%s\n' "max-time = $timeout_s" 'proto = "=http,https"' 'max-filesize = 1048576' silent \
				show-error globoff 'write-out = "\n%{http_code}"' "${2-}"
		} | curl -q -K - 2>&1
	)
	http_failed=$?
	http_status=${answer##*"$newline"}
	body=${answer%"$newline"*}
	http_error=
	if [ "$http_failed" -ne 0 ]; then
		http_error=$(printf '%s\n' "$body" | sed -n 's/^curl: ([0-9]*) //p' | tail -n 1)
		http_error=${http_error:-curl ended with status $http_failed}
	fi
}

# Set secret from $password_file, empty without a $user.
read_login() {
	secret=
	need_both --user "$user" --password-file "$password_file"
	[ -z "$user" ] || read_secret --password-file "$password_file"
}

# ---- JSON ---------------------------------------------------------------------------------------------------

# Every scalar of a JSON document as a line: path, tab, value; like ".xlog.location", ".kvs[0].value". Nothing and
# exit status 1 when it is no JSON. Control characters in texts become spaces.
json_fields() {
	printf '%s\n' "$1" | awk '
	function bad() { failed = 1; exit 1 }
	function skip() {
		while (pos <= len && index(" \t\r\n", substr(s, pos, 1)))
			pos++
	}
	function text(   out, ch) {
		pos++
		while ((ch = substr(s, pos, 1)) != "\"") {
			if (ch == "")
				bad()
			if (ch == "\\") {
				ch = substr(s, ++pos, 1)
				if (ch == "u") {
					ch = "\\u" substr(s, pos + 1, 4)
					pos += 4
				} else if (index("bfnrt", ch))
					ch = " "
			}
			out = out ch
			pos++
		}
		pos++
		gsub(/[\001-\037]/, " ", out)
		return out
	}
	function value(path, depth,   ch, end, n, name) {
		skip()
		ch = substr(s, pos, 1)
		if (ch == "\"") {
			out[++lines] = path "\t" text()
			return
		}
		if (ch != "{" && ch != "[") {
			if (!match(substr(s, pos, 40), /^[-+.0-9A-Za-z]+/))
				bad()
			out[++lines] = path "\t" substr(s, pos, RLENGTH)
			pos += RLENGTH
			return
		}
		if (depth > 32)
			bad()
		end = ch == "{" ? "}" : "]"
		pos++
		skip()
		if (substr(s, pos, 1) == end) {
			pos++
			return
		}
		do {
			if (end == "]")
				name = "[" (n++ + 0) "]"
			else {
				skip()
				if (substr(s, pos, 1) != "\"")
					bad()
				name = "." text()
				skip()
				if (substr(s, pos++, 1) != ":")
					bad()
			}
			value(path name, depth + 1)
			skip()
			ch = substr(s, pos++, 1)
		} while (ch == ",")
		if (ch != end)
			bad()
	}
	{ s = s $0 "\n" }
	END {
		if (failed)
			exit 1
		len = length(s)
		pos = 1
		value("", 0)
		skip()
		if (pos <= len)
			exit 1
		for (i = 1; i <= lines; i++)
			print out[i]
	}'
}

# A text as a JSON string, quotes included. What is no UTF-8 becomes U+FFFD.
json_string() {
	printf '%s\n' "$1" | awk '
	BEGIN {
		for (i = 1; i < 256; i++)
			code[sprintf("%c", i)] = i
	}
	# Octets of the UTF-8 character at position i, 0 when there is none.
	function octets(i,   first, second, n, k) {
		first = code[substr(s, i, 1)]
		second = code[substr(s, i + 1, 1)]
		n = first < 194 ? 0 : first < 224 ? 2 : first < 240 ? 3 : first < 245 ? 4 : 0
		if ((first == 224 && second < 160) || (first == 237 && second > 159) ||
		    (first == 240 && second < 144) || (first == 244 && second > 143))
			return 0
		for (k = 1; k < n; k++)
			if (code[substr(s, i + k, 1)] < 128 || code[substr(s, i + k, 1)] > 191)
				return 0
		return n
	}
	{ s = s (NR > 1 ? "\n" : "") $0 }
	END {
		for (i = 1; i <= length(s); i++) {
			ch = substr(s, i, 1)
			if (ch == "\"" || ch == "\\")
				out = out "\\" ch
			else if (code[ch] < 32 || code[ch] == 127)
				out = out sprintf("\\u%04x", code[ch])
			else if (code[ch] < 128)
				out = out ch
			else if ((n = octets(i)) > 0) {
				out = out substr(s, i, n)
				i += n - 1
			} else
				out = out "\\ufffd"
		}
		print "\"" out "\""
	}'
}

# ---- transitions --------------------------------------------------------------------------------------------

# Set kind (instance or group), name, state (active, backup, fault, initialize) and priority from the words that
# keepalived and vrrpd append, and from vrrpd's environment where there are none.
transition() {
	kind=instance
	name=${VRRPD_INSTANCE-}
	state=${VRRPD_STATE-}
	priority=${VRRPD_PRIORITY-}
	if [ $# -gt 0 ]; then
		case $1 in
		INSTANCE) ;;
		GROUP) kind=group ;;
		*) misuse "there is no option \"$1\"" ;;
		esac
		[ $# -ge 3 ] || misuse "$1 needs a name and a state after it"
		name=$2
		priority=${4-$priority}
		case $3 in
		MASTER) state=active ;;
		BACKUP) state=backup ;;
		FAULT) state=fault ;;
		STOP | DELETED) state=initialize ;;
		*) finish 0 "$name: nothing to do for $3" ;;
		esac
	fi
	case $state in
	active | backup | fault | initialize) ;;
	'') misuse 'no state: call it as a notify script, with INSTANCE NAME STATE as its last words or VRRPD_STATE set' ;;
	*) finish 0 "$name: nothing to do for $state" ;;
	esac
}
