"""redis-benchmark through a path: operations a second, and who spent how much CPU on each."""
import subprocess
import time

from processes import HOST, Watch, find, start, stop
from resp import Redis
from rows import Row, micros

THREADS = 2
# Rather than the median of a run, a window in it: it leaves out the connecting at the beginning and the stragglers at the end.
WINDOW = (0.15, 0.8)


class Throughput(Row):
    columns = (("kops", "kops/s", 2), ("p50", "p50 ms", 3), ("p99", "p99 ms", 3), ("proxy", "proxy us", 2),
               ("redis", "Redis us", 2), ("total", "total us", 2), ("load", "load us", 2))
    note = ("redis-benchmark. CPU per operation, in a window of each run that leaves out the connecting; operations are counted by Redis. "
            "Latencies are redis-benchmark's: until the first byte of a reply.")

    def __init__(self, name, title, command, size, keys, connections, pipeline):
        super().__init__(name, title)
        self.command, self.size, self.keys = command, size, keys
        self.connections, self.pipeline = connections, pipeline
        self.requests = {}

    def takes(self, path):
        return self.command == "get" or path.name != "redwall-large"

    def prepare(self, bed):
        bed.fill(self.keys, self.size)

    def run(self, path, bed):
        if path.name not in self.requests:
            probe = self.bench(path, bed, self.probe(), 20)
            least = self.connections * self.pipeline * 4
            self.requests[path.name] = int(max(probe["kops"] * 1000 * bed.seconds, least))
        return self.bench(path, bed, self.requests[path.name], bed.seconds * 6 + 5)

    def probe(self):
        """Requests of a short run that says how many make a long one."""
        most = 20_000 if self.pipeline == 1 else 100_000
        return max(self.connections * self.pipeline * 4, min(8_000 * self.pipeline, (256 << 20) // self.size, most))

    def words(self, path, bed, requests):
        words = [find("redis-benchmark"), "-h", HOST, "-p", path.port, "-c", self.connections, "-P", self.pipeline,
                 "-d", self.size, "-n", requests, "-r", self.keys, "-t", self.command, "--csv",
                 "--threads", THREADS]
        if path.tls:
            pki = f"{bed.folder}/pki"
            words += ["--tls", "--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/client.crt", "--key", f"{pki}/client.key",
                      "--tls-ciphersuites", "TLS_AES_256_GCM_SHA384"]
        return [str(word) for word in words]

    def bench(self, path, bed, requests, limit):
        count = Redis(path.redis_port)
        before = count.calls(self.command)
        load = start(self.words(path, bed, requests), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        window = self.watch(path, load, count, before, requests, limit)
        out, err = load.communicate()
        stop(load)
        count.close()
        rows = [line for line in out.decode(errors="replace").splitlines() if line.startswith(f'"{self.command.upper()}"')]
        if not rows:
            raise RuntimeError(err.decode(errors="replace")[-200:].strip() or "no result within the time limit")
        csv = [float(field.strip('"')) for field in rows[-1].split(",")[1:]]
        return {"kops": csv[0] / 1000, "p50": csv[3], "p99": csv[5], "other": 0.0} | window

    def watch(self, path, load, count, before, requests, limit):
        """What the window in the run showed; nothing if the run was over before it ended."""
        watch, since = None, time.monotonic()
        while load.poll() is None:
            if time.monotonic() - since > limit:
                load.kill()
            time.sleep(0.02)
            done = count.calls(self.command) - before
            if watch is None and done >= WINDOW[0] * requests:
                watch, first = Watch(path, [load]), count.calls(self.command)
            elif watch and done >= WINDOW[1] * requests:
                used, operations = watch.used(), count.calls(self.command) - first
                return micros(used, operations) | {"kops": operations / used["seconds"] / 1000}
        return {}
