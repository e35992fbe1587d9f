"""The bars that Redwall is held to, and whether it clears them."""
import statistics
from dataclasses import dataclass

from paths import PROXIES

BEST = "the best proxy"
# From here on down, at most so much of what is kept may differ between a large configuration and a small one.
SAME = 1.05
# Of a core, that others may take during a run.
NOISE = 0.15


@dataclass(frozen=True)
class Bar:
    """`figure` of `of` in `row` is at most, or at least, `limit`: as it is, or as a ratio to the same figure of `peer`.

    Where `limit` is None, at most what `peer` has."""
    row: str
    figure: str
    sense: str
    limit: float | None
    peer: str | None = None
    of: str = "redwall"

    def text(self, headings):
        """In words; `headings` are those of the row's figures."""
        of = "" if self.of == "redwall" else f" of {self.of}"
        sense = "at most" if self.sense == "<=" else "at least"
        times = " x " if self.limit is not None and self.peer else ""
        bound = "" if self.limit is None else f"{self.limit:g}"
        return f"{headings[self.figure]}{of} {sense} {bound}{times}{self.peer or ''}"


def proxied(row, *bars):
    return [Bar(row, *bar) for bar in bars]


BARS = [
    *proxied("c50", ("total", "<=", 1.0, "redis-tls"), ("proxy", "<=", 0.55, "haproxy"), ("proxy", "<=", 0.6, "nginx"),
             ("redis", "<=", 0.45, "redis"), ("kops", ">=", 1.4, "haproxy"), ("kops", ">=", 1.4, "nginx"),
             ("kops", ">=", 0.95, "redis-tls")),
    *proxied("c500", ("total", "<=", 0.9, "redis-tls"), ("redis", "<=", 0.3, "redis"), ("kops", ">=", 1.5, "haproxy")),
    *proxied("p16", ("total", "<=", 1.1, "redis-tls"), ("proxy", "<=", 0.6, "haproxy")),
    *proxied("get16k", ("total", "<=", 0.9, "redis-tls"), ("kops", ">=", 1.5, "haproxy"), ("total", "<=", 1.0, "nginx")),
    *proxied("get1m", ("total", "<=", 1.25, "redis-tls"), ("total", "<=", 1.0, BEST)),
    *[bar for row in ("set16k", "set256k", "set1m") for bar in proxied(row, ("total", "<=", 1.0, "nginx"))],
    *proxied("c1", ("p50", "<=", 1.0, "haproxy")),
    *proxied("fixed", ("p99", "<=", 1.0, BEST)),
    *proxied("handshakes", ("proxy", "<=", 0.4, "haproxy")),
    *proxied("crowd", ("moved", "<=", None, BEST)),
    *proxied("idle1000", ("proxy", "<=", 8.0), ("kept", "<=", 10)),
    *proxied("idle9000", ("proxy", "<=", 6.5), ("kept", "<=", 10)),
    *proxied("policy", ("get", "<=", 50), ("set", "<=", 50)),
    *[Bar(row, figure, sense, limit, "redwall", "redwall-large") for row, figure, sense, limit in (
        ("c50", "total", "<=", SAME), ("c50", "kops", ">=", 0.95), ("c500", "total", "<=", SAME),
        ("c500", "kops", ">=", 0.95), ("p16", "total", "<=", SAME), ("get16k", "total", "<=", SAME),
        ("get1m", "total", "<=", SAME), ("c1", "p50", "<=", SAME), ("fixed", "p99", "<=", SAME),
        ("handshakes", "proxy", "<=", SAME), ("crowd", "beside", "<=", SAME), ("idle1000", "proxy", "<=", SAME),
        ("idle9000", "proxy", "<=", SAME), ("policy", "get", "<=", SAME))],
    *[Bar(row, "ratio", "<=", 2.0) for row in ("bulk", "mute", "pipeline", "all")],
]


class Figures:
    """All runs of all rows: results[row][path] is a list of runs, each a dict of figures or of an error."""

    def __init__(self):
        self.results = {}

    def add(self, row, path, run):
        self.results.setdefault(row, {}).setdefault(path, []).append(run)

    def runs(self, row, path):
        """The runs that succeeded."""
        return [run for run in self.results.get(row, {}).get(path, []) if "error" not in run]

    def all(self, row, path, figure):
        return [run[figure] for run in self.runs(row, path) if run.get(figure) is not None]

    def median(self, row, path, figure):
        values = self.all(row, path, figure)
        return statistics.median(values) if values else None

    def noisy(self, row, *paths):
        """Whether anybody else was at work during a run of these paths."""
        return any(run["other"] > NOISE for path in paths for run in self.runs(row, path))

    def best_proxy(self, row, figure):
        medians = {proxy: self.median(row, proxy, figure) for proxy in PROXIES}
        known = {proxy: value for proxy, value in medians.items() if value is not None}
        return min(known, key=known.get, default=None)


@dataclass(frozen=True)
class Verdict:
    bar: Bar
    peer: str | None
    value: float | None
    limit: float | None
    low: float | None = None
    high: float | None = None
    noisy: bool = False

    def text(self):
        if self.value is None:
            return "not measured"
        at_most = self.bar.sense == "<="
        met = self.value <= self.limit if at_most else self.value >= self.limit
        unsure = self.low <= self.limit <= self.high and self.low < self.high
        doubt = (", within the noise" if unsure else "") + (" **!**" if self.noisy else "")
        if met:
            return f"met{doubt}"
        return f"**missed** by {100 * abs(self.value - self.limit) / abs(self.limit or 1):.0f} %{doubt}"


def judge(bar, figures):
    peer = figures.best_proxy(bar.row, bar.figure) if bar.peer == BEST else bar.peer
    value, own = figures.median(bar.row, bar.of, bar.figure), figures.all(bar.row, bar.of, bar.figure)
    noisy = figures.noisy(bar.row, bar.of, peer)
    theirs = figures.median(bar.row, peer, bar.figure) if peer else None
    if value is None or (bar.peer and theirs is None):
        return Verdict(bar, peer, None, bar.limit)
    if not bar.peer or bar.limit is None:
        limit = theirs if bar.limit is None else bar.limit
        return Verdict(bar, peer, value, limit, min(own), max(own), noisy)
    # Round by round for the range, because what troubles a round troubles both.
    rounds = [a / b for a, b in zip(own, figures.all(bar.row, peer, bar.figure)) if b]
    return Verdict(bar, peer, value / theirs if theirs else None, bar.limit, min(rounds), max(rounds), noisy)


def verdicts(figures, of):
    """All verdicts; `of` stands for Redwall where only one kind of it could be measured."""
    bars = [Bar(**(vars(bar) | {"of": of})) if bar.of == "redwall" else bar for bar in BARS]
    return [judge(bar, figures) for bar in bars if bar.row in figures.results]
