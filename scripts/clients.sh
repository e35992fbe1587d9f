#!/usr/bin/env bash
# Fetches redis-py and ioredis into .clients/, each in a folder of its own; does nothing where they are already.
set -euo pipefail
cd "$(dirname "$0")/.."

REDIS_PY=8.1.0
IOREDIS=5

python=.clients/python
if [ ! -x "$python/bin/python" ] || ! "$python/bin/python" -c 'import redis' 2>/dev/null; then
  rm -rf "$python"
  mkdir -p .clients
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check "redis==$REDIS_PY"
fi

node=.clients/node
if [ ! -d "$node/node_modules/ioredis" ]; then
  mkdir -p "$node"
  (cd "$node" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund "ioredis@$IOREDIS")
fi
