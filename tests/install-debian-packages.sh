#!/bin/sh
# The peers that the tests need, from Debian's packages; 'long' adds those of make test-long. Needs root; without root
# they must be there already.
set -eu
wanted=""
need() { command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"; }
need gzip gzip
need zstd zstd
need pigz pigz
need openssl openssl
need softhsm2-util softhsm2
need bgzip tabix
need lz4 lz4
need age age
need systemd-analyze systemd
need ssh openssh-client
[ -x /usr/sbin/sshd ] || wanted="$wanted openssh-server"
[ -x /usr/sbin/nginx ] || wanted="$wanted nginx-light"
if [ "${1:-}" = long ]; then
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || wanted="$wanted rabbitmq-server"
    [ -n "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || wanted="$wanted postgresql"
    need rsync rsync
    need npm npm # the OpenID provider and the document store of the tests come from npm
    need swift-proxy-server "swift-proxy swift-account swift-container swift-object"
    need memcached memcached
    need keystone-manage "python3-keystone python3-keystonemiddleware"
    need promtool prometheus
fi
[ -z "$wanted" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "missing:$wanted; install them as root: apt-get install$wanted" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $wanted >/dev/null
