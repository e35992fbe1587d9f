"""Runs the load generator of benches/load."""
import os
import select
import subprocess
import time

from paths import ROOT
from processes import HOST, URGENT, Watch, start, stop

PROGRAM = f"{ROOT}/target/release/examples/load"


class Load:
    """A load that is running."""

    def __init__(self, path, folder, work, *options, nice=URGENT):
        words = [PROGRAM, "--address", f"{HOST}:{path.port}"]
        words += ["--pki", f"{folder}/pki"] if path.tls else []
        words += [work, *map(str, options)]
        self.process = start(words, nice=nice, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid, self.work = self.process.pid, work

    def begin(self, seconds=60):
        """Waits until its connections stand."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready or self.process.stdout.readline() != b"begin\n":
            raise RuntimeError(f"{self.work}: {self.fault()}")

    def end(self, seconds=120):
        """Waits for its end; returns its figures, and the seconds of CPU that it took in all as `cpu`."""
        self.process.stdin.close()
        end = time.monotonic() + seconds
        while (ended := os.wait4(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.work}: has not ended within {seconds} s: {self.fault()}")
            time.sleep(0.01)
        _, status, usage = ended
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise RuntimeError(f"{self.work}: {self.fault()}")
        words = self.process.stdout.read().decode().split()
        stop(self.process)
        return {name: float(value) for name, value in (word.split("=") for word in words)} | {
            "cpu": usage.ru_utime + usage.ru_stime}

    def running(self):
        """Whether it has not ended; leaves its end for `end` to find."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def stop(self):
        stop(self.process)

    def fault(self):
        stop(self.process)
        return self.process.stderr.read().decode(errors="replace").strip()[-300:] or "gave up"


def steady(path, folder, connections, rate, seconds, beside=(), once_begun=lambda: ()):
    """A steady load, and what was used while it ran.

    `beside` are other loads, that run all the while; `once_begun` starts more of them when this one has begun."""
    load = Load(path, folder, "steady", "--connections", connections, "--rate", rate, "--seconds", seconds)
    load.begin()
    watch = Watch(path, [load])
    others = Watch(path, [*beside, *once_begun()])
    figures = load.end(seconds + 30)
    used = watch.used(figures["cpu"])
    used["other"] = max(0.0, used["other"] - others.used()["load"] / used["seconds"])
    if figures["errors"] or figures["unanswered"]:
        raise RuntimeError(f"{figures['errors']:.0f} errors, {figures['unanswered']:.0f} requests without a reply")
    return figures, used
