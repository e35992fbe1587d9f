#!/usr/bin/env bash
# Measures Redwall beside Redis's own TLS and the proxies that Debian packages, in one interleaved run, with mutual TLS and an ACL
# key pattern on: beside_peers.sh [OPTIONS OF peers.py]
#
# For figures to quote: --secs 5. Everything is on loopback and ends with the run.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
redwall_pid=
cleanup() {
  if [ -n "$redwall_pid" ]; then
    kill "$redwall_pid" 2>/dev/null || true
    wait "$redwall_pid" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
backend=$(free_port)

python3 benches/peers.py --pki "$folder/pki" --make-pki
cat >"$folder/redwall.toml" <<TOML
[status]
listen = []

[log]
level = "warn"

[[database]]
name = "bench"
listen = ["127.0.0.1:$port"]
allow = ["127.0.0.1"]

lanes = "${LANES:-shared}"

[database.tls]
certificates = [{ cert = "pki/server.crt", key = "pki/server.key" }]
client_certificates = "required"
client_ca = [{ name = "bench", file = "pki/ca.crt" }]

[database.backend]
url = "redis://127.0.0.1:$backend"

[database.users.client]
require = "certificate"
certificates = [{ cn = "client", ca = "bench" }]
rules = ["+@all", "-@dangerous", "+info", "~key:*"]
TOML
target/release/redwall run --config "$folder/redwall.toml" &
redwall_pid=$!
for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  sleep 0.05
done
python3 benches/peers.py --pki "$folder/pki" --mtls --candidate "redwall=127.0.0.1:$port:$redwall_pid" \
  --candidate-backend-port "$backend" "$@"
