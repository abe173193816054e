#!/usr/bin/env bash
# Starts or stops the private PostgreSQL cluster of the tests, from the installed server binaries.
#   tests/support/postgres.sh start   prints the cluster's URL; safe to call again
#   tests/support/postgres.sh stop
set -euo pipefail

folder=${FAULTLINE_TEST_CLUSTER:-${TMPDIR:-/tmp}/faultline-test-postgres-$(id -u)}
port=${FAULTLINE_TEST_PORT:-54987}
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb 2>/dev/null || echo /missing/initdb)")
[ -x "$bin/initdb" ] || { echo "PostgreSQL's server binaries are missing; ./test installs them" >&2; exit 1; }

# The server refuses to run as root, so root hands it to an account without rights.
as_owner() {
  if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi
}

start() {
  exec 9>"$folder.lock"
  flock 9
  if as_owner "$bin/pg_ctl" -D "$folder/data" status >/dev/null 2>&1; then return; fi
  rm -rf "$folder"
  mkdir -p "$folder"
  [ "$(id -u)" != 0 ] || chown nobody "$folder"
  as_owner "$bin/initdb" -D "$folder/data" -U faultline -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  cat >>"$folder/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
max_connections = 300
# The tests' data need not survive a power cut.
fsync = off
synchronous_commit = off
full_page_writes = off
CONF
  as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w start >/dev/null 9>&-
}

case "${1:-}" in
  start) start >&2; echo "postgres://faultline@127.0.0.1:$port/postgres" ;;
  stop) as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder" "$folder.lock" ;;
  *) echo "usage: $0 start|stop" >&2; exit 2 ;;
esac
