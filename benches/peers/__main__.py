"""Measures ways to put TLS in front of Redis side by side, on this machine, and says whether Redwall clears its bars.

Needs Debian's redis-server, redis-tools and openssl, `cargo build --release` with the example `load`, and Python's standard library; stunnel4,
haproxy and nginx (libnginx-mod-stream) where installed. Everything listens on 127.0.0.1 and ends with it.

Every row runs the same work through every path, in turns (A B C, B C A, ...), so that what troubles the machine troubles all of them. A run
during which some other process took more than 15 % of a core is done again, twice at most; then the quietest counts, marked.
"""
import argparse
import json
import sys
import time

import paths
import report
from bars import NOISE, Figures
from bed import bed
from processes import say
from rows import Beside, Crowd, FixedRate, Handshakes, Idle, OneByOne, Policy
from throughput import Throughput

# First those that look at memory: before the processes have served anything.
ROWS = [
    Idle("idle1000", "1,000 idle connections", 1_000, redwall_only=False),
    Idle("idle9000", "9,000 idle connections", 9_000, redwall_only=True),
    Throughput("c50", "GET of 64 B, 50 connections", "get", 64, 10_000, 50, 1),
    Throughput("c500", "GET of 64 B, 500 connections", "get", 64, 10_000, 500, 1),
    Throughput("p16", "GET of 64 B, 50 connections, pipeline 16", "get", 64, 10_000, 50, 16),
    Throughput("get16k", "GET of 16 KiB, 50 connections", "get", 16 << 10, 1_000, 50, 1),
    Throughput("get1m", "GET of 1 MiB, 4 connections", "get", 1 << 20, 32, 4, 1),
    Throughput("set16k", "SET of 16 KiB, 50 connections", "set", 16 << 10, 1_000, 50, 1),
    Throughput("set256k", "SET of 256 KiB, 8 connections", "set", 256 << 10, 100, 8, 1),
    Throughput("set1m", "SET of 1 MiB, 4 connections", "set", 1 << 20, 32, 4, 1),
    OneByOne("c1", "GET of 64 B, 1 connection"),
    FixedRate("fixed", "10,000 GETs a second, 50 connections", 50, 10_000),
    Handshakes("handshakes", "Full handshakes"),
    Crowd("crowd", "400 handshakes at once"),
    Policy("policy", "Policy"),
    Beside("bulk", "Beside a client that fetches 1 MiB values", ["bulk"]),
    Beside("mute", "Beside a client that never reads", ["mute"]),
    Beside("pipeline", "Beside a client with a pipeline of 10,000", ["pipeline"]),
    Beside("all", "Beside all three", ["bulk", "mute", "pipeline"]),
]
# The quick form: its paths, those of them that are in few rows only, these rows, and the rows with more than one round.
QUICK_PATHS = ("redis", "redis-tls", "haproxy", "nginx", *paths.REDWALLS)
QUICK_SELDOM, QUICK_ROWS = ("redwall-own", "redwall-large", "redwall-unix"), ("c50", "policy")
QUICK_TWICE = ("c50", "c500", "p16")


def options():
    names = ", ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(prog="peers", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="short runs, at most 3 minutes: for development, not to be quoted")
    parser.add_argument("--rounds", type=int, help="rounds (default 3)")
    parser.add_argument("--seconds", type=float, help="length of a run (default 5; redis-benchmark rounds to 250 ms); all of it takes about 40 minutes")
    parser.add_argument("--rows", help=f"comma list of {names}")
    parser.add_argument("--paths", help=f"comma list of {', '.join(paths.ALL)}")
    parser.add_argument("--max-minutes", type=float, default=90, help="start nothing new after that (default 90)")
    parser.add_argument("--write", metavar="FILE", help="where the page goes, besides the standard output (benches/RESULTS.md for a "
                        "run of everything)")
    parser.add_argument("--json", metavar="FILE", help="where all figures of all runs go")
    return parser.parse_args()


def attempt(row, path, bed):
    """The quietest of some runs."""
    best = None
    for _ in range(bed.attempts):
        try:
            run = row.run(path, bed)
        except (OSError, RuntimeError) as fault:
            return best or {"error": str(fault)}
        if best is None or run["other"] < best["other"]:
            best = run
        if best["other"] <= NOISE:
            break
    return best


def measure(row, bed, rounds, seldom, deadline, figures):
    row.prepare(bed)
    taken = [path for path in bed.paths if row.takes(path) and path.name not in seldom]
    for number in range(rounds):
        turn = number % max(1, len(taken))
        for path in taken[turn:] + taken[:turn]:
            if time.monotonic() > deadline:
                say("time is up: the rest is left out")
                return
            run = attempt(row, path, bed)
            figures.add(row.name, path.name, run)
            shown = run.get("error") or " ".join(f"{key}={run[key]:.{digits}f}" for key, _, digits in row.columns if key in run)
            say(f"{row.name:10} round {number + 1} {path.name:13} {shown}  other={run.get('other', 0):.2f}")


def main():
    chosen = options()
    known = {row.name: row for row in ROWS}
    rows = [known[name] for name in chosen.rows.split(",")] if chosen.rows else ROWS
    names = chosen.paths.split(",") if chosen.paths else QUICK_PATHS if chosen.quick else paths.ALL
    since, figures = time.monotonic(), Figures()
    with bed(names, chosen.seconds or (0.8 if chosen.quick else 5), 1 if chosen.quick else 3) as stand:
        for row in rows:
            rounds = chosen.rounds or (1 + (row.name in QUICK_TWICE) if chosen.quick else 3)
            seldom = QUICK_SELDOM if chosen.quick and not chosen.paths and row.name not in QUICK_ROWS else ()
            measure(row, stand, rounds, seldom, since + 60 * chosen.max_minutes, figures)
    tell(chosen, rows, stand.paths, figures, since)


def tell(chosen, rows, started, figures, since):
    everything = not (chosen.rows or chosen.paths or chosen.quick)
    words = " ".join(sys.argv[1:])
    form = "make bench" + (f' BENCH_OPTIONS="{words}"' if words else "")
    text = report.page(rows, started, figures, f"`{form}`, {(time.monotonic() - since) / 60:.1f} minutes")
    print(text)
    target = chosen.write or (f"{paths.ROOT}/benches/RESULTS.md" if everything else None)
    if target:
        report.write(target, text)
    if chosen.json:
        with open(chosen.json, "w") as f:
            json.dump(figures.results, f, indent=1)


if __name__ == "__main__":
    main()
