#!/usr/bin/env bash
# Fuzzes the request and the reply scanner, each for FUZZ_SECS seconds (60 if not set).
#
# Sanitizers need unstable flags of the compiler; RUSTC_BOOTSTRAP lets the one stable toolchain take them, for this alone.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${FUZZ_SECS:-60}
if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "Installing cargo-fuzz"
  cargo install --quiet --locked cargo-fuzz
fi
export RUSTC_BOOTSTRAP=1
for target in request reply; do
  echo "== $target for $seconds s"
  cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 2>&1 | tail -n 12
done
