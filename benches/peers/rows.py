"""What is measured: each row runs the same work through every path, in turns."""
import glob
import os
import re
import resource
import subprocess
import time
from contextlib import contextmanager

from load import Load, steady
from paths import ROOT
from processes import ELSEWHERE, Watch, start, stop


class Row:
    """`columns` are what a run of it measures: (key, heading, digits)."""
    columns = ()
    note = ""

    def __init__(self, name, title):
        self.name, self.title = name, title

    def takes(self, path):
        return True

    def prepare(self, bed):
        pass

    def run(self, path, bed):
        raise NotImplementedError


def micros(used, operations):
    """Microseconds of CPU an operation, of whom."""
    figures = {whom: used[whom] / operations * 1e6 for whom in ("proxy", "redis", "load")}
    return figures | {"total": figures["proxy"] + figures["redis"], "other": used["other"]}


class FixedRate(Row):
    """Latency at a rate that doesn't wait for replies."""
    columns = (("p50", "p50 ms", 3), ("p99", "p99 ms", 3), ("p999", "p99.9 ms", 3), ("proxy", "proxy us", 2),
               ("redis", "Redis us", 2), ("total", "total us", 2), ("lateness", "sent late, p99 ms", 3))
    note = "Timed from when a request was meant to be sent."

    def __init__(self, name, title, connections, rate):
        super().__init__(name, title)
        self.connections, self.rate = connections, rate

    def prepare(self, bed):
        bed.fill(10_000, 64)

    def run(self, path, bed):
        figures, used = steady(path, bed.folder, self.connections, self.rate, bed.seconds)
        return micros(used, figures["answered"]) | {
            "p50": figures["p50_us"] / 1e3, "p99": figures["p99_us"] / 1e3, "p999": figures["p999_us"] / 1e3,
            "lateness": figures["lateness_p99_us"] / 1e3}


class OneByOne(Row):
    """One connection, one request at a time."""
    columns = (("p50", "p50 us", 1), ("p99", "p99 us", 1), ("rate", "a second", 0), ("proxy", "proxy us", 2),
               ("redis", "Redis us", 2), ("total", "total us", 2))
    note = "Until the whole reply has come. redis-benchmark isn't used here: its latencies go in steps of 8 us."

    def prepare(self, bed):
        bed.fill(10_000, 64)

    def run(self, path, bed):
        load = Load(path, bed.folder, "one-by-one", "--seconds", bed.seconds)
        load.begin()
        watch = Watch(path, [load])
        figures = load.end(bed.seconds + 30)
        used, number = watch.used(figures["cpu"]), figures["answered"]
        return micros(used, number) | {"p50": figures["p50_us"], "p99": figures["p99_us"], "rate": number / used["seconds"]}


class Handshakes(Row):
    """Full handshakes, one after another."""
    columns = (("proxy", "proxy us", 0), ("redis", "Redis us", 0), ("total", "total us", 0), ("p50", "p50 ms", 2),
               ("rate", "a second", 0))
    note = "Connect, full TLS 1.3 handshake with client certificate (X25519, ECDSA P-256), PING, close; one after another. CPU per connection."

    def takes(self, path):
        return path.tls and not path.by_unix_socket()

    def run(self, path, bed):
        load = Load(path, bed.folder, "handshakes", "--seconds", bed.seconds)
        load.begin()
        watch = Watch(path, [load])
        figures = load.end(bed.seconds + 30)
        used, number = watch.used(figures["cpu"]), figures["connections"]
        return micros(used, number) | {"p50": figures["p50_us"] / 1e3, "rate": number / used["seconds"]}


class Crowd(Row):
    """What an established client notices of 400 handshakes at once."""
    columns = (("quiet", "p99.9 alone, ms", 2), ("beside", "p99.9 beside them, ms", 2), ("moved", "moved by, ms", 2),
               ("crowd", "until all 400 are in, ms", 0))
    note = ("One client asks a thousand times a second, alone and while 400 others connect at once, every second; the process of the 400 gives "
            "way to the others.")

    def takes(self, path):
        return path.tls and not path.by_unix_socket()

    def run(self, path, bed):
        crowds, loads = max(2, int(bed.seconds)), []

        def crowd():
            loads.append(Load(path, bed.folder, "crowd", "--count", 400, "--crowds", crowds, nice=ELSEWHERE))
            return loads

        quiet, alone = steady(path, bed.folder, 1, 1000, crowds)
        beside, besides = steady(path, bed.folder, 1, 1000, crowds, once_begun=crowd)
        loads[0].begin()
        figures = loads[0].end()
        if figures["failed"]:
            raise RuntimeError(f"{figures['failed']:.0f} of the crowd's connections failed")
        quiet, beside = quiet["p999_us"] / 1e3, beside["p999_us"] / 1e3
        return dict(quiet=quiet, beside=beside, moved=beside - quiet, crowd=figures["p50_us"] / 1e3,
                    other=max(alone["other"], besides["other"]))


class Idle(Row):
    """Memory of connections that do nothing."""
    columns = (("proxy", "proxy KiB each", 1), ("redis", "Redis KiB each", 1), ("kept", "kept after they closed, %", 0),
               ("after", "so much later, s", 0))
    note = ("PSS, grown since the first 50 connections came and went. Each connection has asked PING once. What is kept is looked at until "
            "it is a tenth or less, for 15 s at most; of peers for 1 s.")
    PATIENCE = 15
    # They touch what a process needs once, however many come after them, and have it give back what its start took.
    FIRST = 50

    def __init__(self, name, title, connections, redwall_only):
        super().__init__(name, title)
        self.connections, self.redwall_only = connections, redwall_only

    def takes(self, path):
        return path.tls and not path.by_unix_socket() and (path.is_redwall() or not self.redwall_only)

    def run(self, path, bed):
        if not path.settled:
            with self.there(path, bed, self.FIRST):
                pass
            time.sleep(0.5)
            path.settled = path.memory()
        with self.there(path, bed, self.connections):
            proxy, redis = (now - then for now, then in zip(path.memory(), path.settled))
        kept, after = given_back(path, proxy or redis, min(self.PATIENCE, 3 * bed.seconds) if path.is_redwall() else 1)
        return dict(proxy=proxy / self.connections, redis=redis / self.connections, kept=kept, after=after, other=0.0)

    @staticmethod
    @contextmanager
    def there(path, bed, connections):
        """So many connections are there, and quiet for half a second; then they leave."""
        load = Load(path, bed.folder, "idle", "--connections", connections)
        load.begin()
        time.sleep(0.5)
        yield
        if load.end()["lost"]:
            raise RuntimeError("connections were lost")


def given_back(path, grown, seconds):
    """How much of `grown` KiB is still held, in %, and after how long."""
    since = time.monotonic()
    while True:
        proxy, redis = (now - then for now, then in zip(path.memory(), path.settled))
        kept, after = 100 * (proxy if path.pid else redis) / max(1, grown), time.monotonic() - since
        if kept <= 10 or after > seconds:
            return max(0.0, kept), after
        time.sleep(0.2)


class Policy(Row):
    """Scan, classify and judge, by criterion."""
    columns = (("get", "GET ns", 1), ("set", "SET of 64 B ns", 1))
    note = "`cargo bench --bench policy`: scan, classify and judge of one command with a key pattern, no I/O."
    USERS = {"redwall": "one user", "redwall-own": "one user", "redwall-large": "10,000 users"}

    def takes(self, path):
        return path.name in self.USERS

    def run(self, path, bed):
        watch = Watch(path, ())
        own = used_by_children()
        figures = {key: self.criterion(f"policy/{command}, {self.USERS[path.name]}", bed.seconds)
                   for key, command in (("get", "get"), ("set", "set 64"))}
        used = watch.used(used_by_children() - own)
        return figures | {"other": used["other"]}

    @staticmethod
    def criterion(name, seconds):
        """Nanoseconds an iteration."""
        # Not by cargo, which would put another build of Redwall in the place of the one that is measured.
        program = max(glob.glob(f"{ROOT}/target/release/deps/policy-*[!.d]"), key=os.path.getmtime)
        words = [program, "--bench", "--noplot", "--exact", name, "--warm-up-time", "0.3", "--measurement-time", str(min(3, seconds))]
        process = start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        out, err = (said.decode() for said in process.communicate())
        stop(process)
        found = re.search(r"time: +\[\S+ \S+ (\S+) (\S+) ", out)
        if not found:
            raise RuntimeError(err[-300:])
        return float(found[1]) * {"ns": 1, "µs": 1e3, "us": 1e3}[found[2]]


def used_by_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Beside(Row):
    """What 50 quiet clients notice of a neighbour."""
    columns = (("without", "p99 without, ms", 3), ("beside", "p99 beside, ms", 3), ("ratio", "ratio", 2),
               ("done", "what the neighbour did", 0))
    note = ("50 clients ask for 64 B, 2,000 times a second in all; the neighbour's process gives way to the others. Redis itself, in the clear, "
            "shows what of it is Redis's.")
    CONNECTIONS, RATE = 50, 2_000
    # One proxy of the peers: these rows take long.
    PATHS = ("redis", "redis-tls", "haproxy", "redwall", "redwall-own", "redwall-unix")

    NEIGHBOURS = {
        "bulk": ("bulk", "--key", "key:large"),
        "mute": ("mute", "--key", "key:middle", "--count", 5_000),
        "pipeline": ("pipeline", "--depth", 10_000),
    }

    def __init__(self, name, title, neighbours):
        super().__init__(name, title)
        self.neighbours = neighbours

    def takes(self, path):
        return path.name in self.PATHS

    def prepare(self, bed):
        bed.fill(10_000, 64)
        bed.redis.ask("SET", "key:large", b"x" * (1 << 20))
        bed.redis.ask("SET", "key:middle", b"x" * (16 << 10))

    def run(self, path, bed):
        without, alone = steady(path, bed.folder, self.CONNECTIONS, self.RATE, bed.seconds)
        (beside, besides), loads = self.beside(path, bed)
        without, beside = without["p99_us"] / 1e3, beside["p99_us"] / 1e3
        done = sum(load.get("values", 0) + load.get("pipelines", 0) + load.get("disconnected", 0) for load in loads)
        return dict(without=without, beside=beside, ratio=beside / without, done=done,
                    other=max(alone["other"], besides["other"]))

    def beside(self, path, bed):
        """The same beside the neighbours; returns theirs too."""
        loads = []
        try:
            for neighbour in self.neighbours:
                # They begin before the quiet clients and end after them.
                options = (*self.NEIGHBOURS[neighbour], "--seconds", bed.seconds + 2)
                loads.append(Load(path, bed.folder, *options, nice=ELSEWHERE))
                loads[-1].begin()
            quiet = steady(path, bed.folder, self.CONNECTIONS, self.RATE, bed.seconds, beside=loads)
            return quiet, [load.end() for load in loads]
        finally:
            for load in loads:
                load.stop()
