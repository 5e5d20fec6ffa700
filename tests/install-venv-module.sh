#!/bin/sh
# Debian ships Python without its venv module: add it as root, or say how.
set -eu
python=$1
venv=$2
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$(id -u)" -ne 0 ]; then
    echo "Python's venv module is missing; install it as root: apt-get install python$version-venv" >&2
    exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv" >/dev/null
"$python" -m venv --clear "$venv"
