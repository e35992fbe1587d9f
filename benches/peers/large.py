"""One client fetches a large value far more slowly than Redis sends it, beside 50 quiet ones: it must get all of it, and they must not
notice. Prints what came of it; exits with 1 where a promise wasn't kept."""
import argparse
import statistics
import sys

from bed import bed
from load import Load, steady
from processes import ELSEWHERE, say

MIB = 1 << 20
# Seconds in which the quiet clients are looked at, and how often before.
WINDOW, BEFORE = 5, 5
# MiB that Redwall may take for this one client: `output_hard_limit`, and what lies in buffers besides.
MOST = 128 + 32
# Times that the quiet clients' p99 may grow.
RATIO = 2.0


def options():
    parser = argparse.ArgumentParser(prog="large", description=__doc__.split("\n\n")[0])
    parser.add_argument("--size", type=int, default=512, help="of the value, in MiB (default 512)")
    parser.add_argument("--rate", type=int, default=1, help="MiB a second (default 1)")
    parser.add_argument("--path", default="redwall", help="what is fetched through (default redwall: shared lanes)")
    return parser.parse_args()


def quiet(path, bed):
    """The p99 of quiet clients in a window, in ms."""
    figures, used = steady(path, bed.folder, 50, 2_000, bed.seconds)
    say(f"p99 {figures['p99_us'] / 1e3:.3f} ms, others took {used['other']:.2f} of a core")
    return figures["p99_us"] / 1e3


def fetch(path, bed, size, rate):
    """Fetches, and looks at the quiet clients all the while; returns the fetch's figures, their p99s and the most memory in MiB."""
    slow = Load(path, bed.folder, "slow", "--key", "key:large", "--rate", rate * MIB, nice=ELSEWHERE)
    slow.begin()
    beside, most = [], 0
    while slow.running() and len(beside) * WINDOW < 2 * size / rate + 60:
        beside.append(quiet(path, bed))
        most = max(most, (path.memory()[0] - path.pristine[0]) / 1024)
    return slow, beside, most


def main():
    chosen = options()
    with bed([chosen.path], WINDOW) as stand:
        path = stand.paths[0]
        stand.fill(10_000, 64)
        stand.redis.ask("SET", "key:large", b"x" * (chosen.size * MIB))
        before = [quiet(path, stand) for _ in range(BEFORE)]
        slow, beside, most = fetch(path, stand, chosen.size, chosen.rate)
        figures = slow.end(chosen.size / chosen.rate + 60)
    sys.exit(tell(chosen, figures, statistics.median(before), statistics.median(beside), most))


def tell(chosen, figures, before, beside, most):
    """Prints the verdicts; 0 if all promises were kept, else 1."""
    verdicts = [
        (figures["whole"] == 1 and figures["errors"] == 0,
         f"{chosen.size} MiB at {chosen.rate} MiB/s: {figures['bytes'] / MIB:.0f} MiB came in {figures['seconds']:.0f} s"),
        (beside <= RATIO * before, f"quiet clients' p99: {before:.3f} ms before, {beside:.3f} ms beside it (at most {RATIO:g} x)"),
        (most <= MOST, f"Redwall's memory grew by {most:.0f} MiB at most (at most {MOST})"),
    ]
    for kept, words in verdicts:
        print(f"{'ok    ' if kept else 'FAILED'}  {words}")
    return 0 if all(kept for kept, _ in verdicts) else 1


if __name__ == "__main__":
    main()
