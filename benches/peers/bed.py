"""What a run of the benchmark stands on: a folder with certificates, one Redis, and the paths to it."""
import shutil
import tempfile
from contextlib import contextmanager

import paths
import pki
import processes
from resp import Redis


class Bed:
    """`seconds` is how long a run is, `attempts` how often a noisy one is tried."""

    def __init__(self, folder, names, seconds, attempts):
        self.folder, self.seconds, self.attempts = folder, seconds, attempts
        pki.make(f"{folder}/pki")
        self.paths = paths.start_all(names, folder)
        self.redis, self.filled = Redis(self.paths[0].redis_port), None

    def fill(self, keys, size):
        if self.filled != (keys, size):
            self.redis.fill(keys, size)
            self.filled = keys, size


@contextmanager
def bed(names, seconds, attempts=1):
    """A bed, of which nothing is left afterwards."""
    processes.end_with_this_process()
    folder = tempfile.mkdtemp(prefix="redwall-bench.")
    try:
        yield Bed(folder, names, seconds, attempts)
    finally:
        processes.stop_all()
        shutil.rmtree(folder, ignore_errors=True)
