"""Processes that the benchmark starts, and what they and the rest of the machine use."""
import atexit
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HOST = "127.0.0.1"
TICK = os.sysconf("SC_CLK_TCK")
# How nice processes are: what is measured goes before whatever else the machine does; and what, in life, would be on other machines and
# not in the way of what is measured, goes after it.
URGENT, ELSEWHERE = -10, 0
_children = []


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def find(*names):
    """The path of the first of these programs that is installed, else None."""
    folders = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin"
    return next((path for name in names if (path := shutil.which(name, path=folders))), None)


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def start(argv, log=None, nice=URGENT, **options):
    """Starts a process that ends with this one, in a session of its own, as services are."""
    out = open(log, "wb") if log else subprocess.DEVNULL
    options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT} | options
    process = subprocess.Popen(argv, start_new_session=True, **options)
    _children.append(process)
    set_nice(process.pid, nice)
    return process


def set_nice(pid, nice):
    """Both ways: where the kernel groups processes by session, only the group's niceness counts between sessions."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        with open(f"/proc/{pid}/autogroup", "w") as f:
            f.write(str(nice))
    except OSError:
        pass  # An ordinary user can't be urgent, and not every kernel has groups.


def stop(process):
    if process in _children:
        _children.remove(process)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def stop_all():
    while _children:
        stop(_children[-1])


def end_with_this_process():
    atexit.register(stop_all)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))


def wait_for_port(port, process, log, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 0.5).close()
            return
        except OSError:
            time.sleep(0.05)
    with open(log, errors="replace") as f:
        raise SystemExit(f"{process.args[0]}: nothing listens on port {port}\n{f.read()[-1000:]}")


def family(pid):
    """pid and its descendants."""
    pids = [pid]
    for name in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(name) as f:
                children = f.read().split()
        except OSError:
            continue
        for child in children:
            pids += family(int(child))
    return pids


def cpu(pids):
    """Seconds on a CPU of all their living threads, to the nanosecond."""
    total = 0
    for pid in pids:
        for name in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(name) as f:
                    total += int(f.read().split()[0])
            except (OSError, IndexError):
                pass
    return total / 1e9


def cpu_of_machine():
    """Busy seconds of all cores."""
    with open("/proc/stat") as f:
        ticks = [int(x) for x in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICK


def pss(pids):
    """Their memory in KiB; what they share is divided among those who share it."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return total


class Watch:
    """What the processes of a path, the load and everybody else use from now on."""

    def __init__(self, path, loads):
        self.path, self.loads = path, loads
        self.at = time.monotonic()
        self.proxy, self.redis = cpu(path.proxy_pids()), cpu([path.redis_pid])
        self.load = cpu([load.pid for load in loads])
        self.machine = cpu_of_machine()

    def used(self, load_total=None):
        """Seconds of CPU since then. load_total: what the loads used in all, where they have ended."""
        seconds = time.monotonic() - self.at
        proxy = cpu(self.path.proxy_pids()) - self.proxy
        redis = cpu([self.path.redis_pid]) - self.redis
        load = (cpu([load.pid for load in self.loads]) if load_total is None else load_total) - self.load
        busy = cpu_of_machine() - self.machine
        return dict(seconds=seconds, proxy=proxy, redis=redis, load=load,
                    other=max(0.0, busy - proxy - redis - load) / seconds)
