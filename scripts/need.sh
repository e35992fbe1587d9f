#!/usr/bin/env bash
# Makes sure that what a make target needs is here: need.sh THING...
#
# THING: rust | cc | redis | openssl | python | node | promtool | valgrind | bench
# As root on Debian it installs what is missing and says so; anybody else is told the exact command to run.
set -euo pipefail

RUST_WANTED=1.88

missing_packages=()

want() { # want COMMAND PACKAGE...
  command -v "$1" >/dev/null 2>&1 && return
  shift
  missing_packages+=("$@")
}

need_rust() {
  if ! command -v cargo >/dev/null 2>&1; then
    echo "Rust $RUST_WANTED or newer is needed and cargo is not here. Install it with:" >&2
    echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\"" >&2
    exit 1
  fi
  local have
  have=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$RUST_WANTED" "$have" | sort -V | head -n 1)" != "$RUST_WANTED" ]; then
    echo "Rust $RUST_WANTED or newer is needed, and this is $have. Update it with: rustup update stable" >&2
    exit 1
  fi
}

for thing in "$@"; do
  case "$thing" in
    rust) need_rust ;;
    cc) want cc gcc libc6-dev ;;
    redis) want redis-server redis-server; want redis-cli redis-tools ;;
    openssl) want openssl openssl ;;
    python)
      want python3 python3 python3-venv
      if command -v python3 >/dev/null 2>&1 && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        missing_packages+=(python3-venv)
      fi
      if ! command -v pip >/dev/null 2>&1 && ! python3 -m pip --version >/dev/null 2>&1; then
        missing_packages+=(python3-pip)
      fi
      ;;
    node) want node nodejs npm; want npm npm ;;
    promtool) want promtool prometheus ;;
    valgrind) want valgrind valgrind ;;
    bench)
      want stunnel stunnel4; want haproxy haproxy; want nginx nginx libnginx-mod-stream
      want openssl openssl
      ;;
    *) echo "need.sh: unknown thing '$thing'" >&2; exit 2 ;;
  esac
done

[ ${#missing_packages[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing: ${missing_packages[*]} (Debian's names). Install them with this system's package manager and try again." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "Missing packages. Install them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing_packages[*]}" >&2
  exit 1
fi
echo "Installing: ${missing_packages[*]}"
export DEBIAN_FRONTEND=noninteractive
# Packages that bring a service must not start it: the tests start what they need themselves.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made_policy=1
fi
trap '[ -z "$made_policy" ] || rm -f "$policy"' EXIT
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >/dev/null
