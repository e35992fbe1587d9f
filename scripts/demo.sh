#!/usr/bin/env bash
# A tour: a real Redis on a Unix socket, Redwall in front of it, and redis-cli as the client.
#
# Stays up until Ctrl-C; with ONCE=1, or without a terminal, it ends by itself, with exit code 0 only if every step behaved.
# Leaves nothing running, and nothing outside .demo/.
set -euo pipefail
cd "$(dirname "$0")/.."

demo=$PWD/.demo
redwall=$PWD/target/debug/redwall
log=$demo/redwall.log
failed=0
pids=()

stop() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}
trap stop EXIT
trap 'exit 130' INT TERM

wait_for() { # wait_for WHAT COMMAND...
  local what=$1; shift
  for _ in $(seq 200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "waited in vain for $what; see $demo" >&2
  exit 1
}

# Secrets are for nobody else.
umask 077
rm -rf "$demo"
mkdir -p "$demo"
chmod 700 "$demo"

echo "== Certificates, a service password, and an application's password (in .demo/)"
"$redwall" certs --out "$demo/certs" --client worker >/dev/null
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$demo/service.password"
printf 'sesame-%s' "$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')" >"$demo/app.password"
cp "$demo/app.password" "$demo/reader.password"

echo "== Redis on a Unix socket, with a service user for Redwall"
cat >"$demo/redis.conf" <<CONF
port 0
unixsocket $demo/redis.sock
dir $demo
save ""
user default off +@all ~* &*
user redwall on >$(cat "$demo/service.password") +@all -@admin -@dangerous -function -script|debug -script|flush -script|kill +info +role +keys +sort +sort_ro +flushdb +flushall +swapdb +config|get +client|no-evict +client|unblock ~* &*
CONF
chmod 600 "$demo/redis.conf"
redis-server "$demo/redis.conf" >"$demo/redis.log" 2>&1 &
pids+=($!)
wait_for "Redis" test -S "$demo/redis.sock"

echo "== Redwall in front of it (config/demo.toml)"
"$redwall" check --config config/demo.toml
"$redwall" run --config config/demo.toml >"$log" 2>&1 &
pids+=($!)
wait_for "Redwall" grep -q "backend is up" "$log"

port=6390
cli() { redis-cli --tls --cacert "$demo/certs/ca.crt" -h 127.0.0.1 --no-auth-warning "$@" 2>&1; }

step() { # step TITLE EXPECTED-PATTERN LOG-PATTERN COMMAND...
  local title=$1 expected=$2 logged=$3; shift 3
  local said line=
  said=$("$@" | tr '\n' ' ') || true
  if [ -n "$logged" ]; then
    for _ in $(seq 40); do
      line=$(grep -E "$logged" "$log" | tail -n 1) && [ -n "$line" ] && break
      sleep 0.05
    done
  fi
  if [[ $said =~ $expected ]] && { [ -z "$logged" ] || [ -n "$line" ]; }; then
    printf 'ok   %-50s %s\n' "$title" "${said:0:100}"
  else
    printf 'FAIL %-50s %s (expected: %s %s)\n' "$title" "$said" "$expected" "$logged"
    failed=1
  fi
  if [ -n "$line" ]; then printf '     Redwall says: %s\n' "$line"; fi
}

app=(-p "$port" --user app --pass "$(cat "$demo/app.password")")
reader=(-p "$port" --user reader --pass "$(cat "$demo/reader.password")")
worker=(-p "$port" --cert "$demo/certs/client-worker.crt" --key "$demo/certs/client-worker.key")

echo
echo "== The tour: what was tried, and what came of it"
step "app writes below orders:" '^OK' '' cli "${app[@]}" SET orders:1 paid
step "app reads it back" '^paid' '' cli "${app[@]}" GET orders:1
step "app may not read other keys" 'NOPERM No permissions to access a key' '' cli "${app[@]}" GET customers:1
step "app may not empty the database" 'NOPERM' '' cli "${app[@]}" FLUSHALL
step "a certificate alone logs the worker in" '^worker' '' cli "${worker[@]}" ACL WHOAMI
step "the worker puts a job into its queue" '^1' '' cli "${worker[@]}" RPUSH jobs:todo mail
step "and takes it out again" 'jobs:todo mail' '' cli "${worker[@]}" BLPOP jobs:todo 1
step "reader reads everything" '^paid' '' cli "${reader[@]}" GET orders:1
step "reader writes nothing" "NOPERM User reader has no permissions to run the 'set' command" '' cli "${reader[@]}" SET orders:1 x
step "a wrong password" 'WRONGPASS' 'login failed' cli -p "$port" --user app --pass wrong GET orders:1
step "no certificate where one is required" '.' 'no_certificate' cli -p 6391 PING
step "an address that is not allowed is not answered" '^(Error|Could not connect|$)' 'connection refused.*not_allowed' cli -p 6392 PING

echo
if [ "$failed" -ne 0 ]; then
  echo "Some steps did not behave."
  exit 1
fi
cat <<TXT
Every step behaved. To try by yourself:

  rediss://app:$(cat "$demo/app.password")@127.0.0.1:$port/0     (CA: .demo/certs/ca.crt)
  rediss://reader:$(cat "$demo/reader.password")@127.0.0.1:$port/0

  redis-cli --tls --cacert .demo/certs/ca.crt -p $port --user app --pass '$(cat "$demo/app.password")'
  redis-cli --tls --cacert .demo/certs/ca.crt -p $port --cert .demo/certs/client-worker.crt --key .demo/certs/client-worker.key
  curl -s http://127.0.0.1:9390/metrics | grep redwall_
  target/debug/redwall acl explain --config config/demo.toml --database shop app GET customers:1
TXT

if [ "${ONCE:-}" = 1 ] || [ ! -t 0 ]; then exit 0; fi
echo
echo "Up until Ctrl-C; the log is .demo/redwall.log"
wait "${pids[1]}"
