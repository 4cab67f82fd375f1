#!/bin/sh
#
# check_scripts.sh - what shellcheck finds in the check and notify scripts, which are POSIX sh.
#
#   tests/tools/check_scripts.sh

set -eu
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "shellcheck is missing; type: tests/tools/install_deps.sh test"; exit 1; }
# -P: where "source=" begins
exec shellcheck -s sh -x -P . scripts/*
