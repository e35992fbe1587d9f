#!/usr/bin/env python3
"""Side-by-side benchmark of ways to put TLS in front of Redis, on one machine.

Needs only Debian packages (redis-server redis-tools stunnel4 haproxy nginx
libnginx-mod-stream openssl) and the Python 3 standard library.  A path whose
program is not installed is skipped.  Everything listens on 127.0.0.1 only.

What it does: makes a throw-away CA with one ECDSA P-256 server and one client
certificate, starts one redis-server (plain port and native TLS port) and one
process of every peer in front of the plain port, then runs the same workloads
with redis-benchmark through every path, interleaved (A B C A B C ...), and
prints medians with the range over the rounds.

An already running proxy joins with

    peers.py --pki DIR --make-pki                # writes ca.crt server.crt/.key client.crt/.key
    <start the proxy with those files, backend 127.0.0.1:7400>
    peers.py --pki DIR --candidate mine=127.0.0.1:7443:PID --candidate-backend-port 7400

The script starts its redis-server on the backend port, so that the candidate and
the peers share one backend; if something answers there already, it is used as the
backend for all paths (and native TLS is then served by a second redis-server).

Numbers: ops/s and CPU are taken inside a window of each run that leaves out
connection set-up; ops are counted by redis itself (INFO commandstats), CPU is the
on-CPU time of all threads of a process and of its children.  Latencies are
redis-benchmark's, which stops the clock at the first byte of a reply: for large
values that is not the whole transfer.  'srv' CPU is proxy + redis: with few cores that, and the load
generator, are what set ops/s.  A '!' marks a run during which some other process
used more than 15% of one core even after the retries.
"""
import argparse, atexit, glob, json, os, shutil, signal, socket, ssl, statistics, subprocess, sys, tempfile, time

HOST = "127.0.0.1"
CHILDREN = []


def log(*a):
    print(*a, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- processes

def spawn(argv, logfile):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=open(logfile, "wb"),
                         stderr=subprocess.STDOUT, start_new_session=True)
    CHILDREN.append(p)
    return p


def stop_children():
    while CHILDREN:
        p = CHILDREN.pop()
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(5)


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def wait_port(port, proc, name, logfile, secs=10):
    end = time.monotonic() + secs
    while time.monotonic() < end:
        if proc is not None and proc.poll() is not None:
            break
        try:
            socket.create_connection((HOST, port), 0.5).close()
            return
        except OSError:
            time.sleep(0.05)
    tail = open(logfile, errors="replace").read()[-600:] if logfile else ""
    raise SystemExit(f"{name}: nothing listens on {HOST}:{port}\n{tail}")


def family(pid):
    """pid and its descendants"""
    out = [pid]
    for f in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            kids = open(f).read().split()
        except OSError:
            continue
        for k in kids:
            out += family(int(k))
    return out


def cpu_threads(pids):
    """seconds on CPU, nanosecond resolution, live threads only"""
    ns = 0
    for pid in pids:
        for f in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                ns += int(open(f).read().split()[0])
            except (OSError, IndexError):
                pass
    return ns / 1e9


def cpu_process(pids):
    """seconds on CPU, clock-tick resolution, exited threads included"""
    t = 0
    for pid in pids:
        try:
            f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        t += int(f[11]) + int(f[12])
    return t / os.sysconf("SC_CLK_TCK")


def cpu_system():
    """busy seconds of the whole machine"""
    f = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(f) - f[3] - f[4]) / os.sysconf("SC_CLK_TCK")


def pss_kib(pids):
    n = 0
    for pid in pids:
        try:
            for l in open(f"/proc/{pid}/smaps_rollup"):
                if l.startswith("Pss:"):
                    n += int(l.split()[1])
        except OSError:
            pass
    return n


# ---------------------------------------------------------------- redis

class Redis:
    """just enough of a RESP2 client"""

    def __init__(self, port, timeout=10):
        self.s = socket.create_connection((HOST, port), timeout)
        self.f = self.s.makefile("rb")

    def send(self, *args):
        args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
        self.s.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args))

    def read(self):
        line = self.f.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            n = int(rest)
            return None if n < 0 else self.f.read(n + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind not in (b"+", b":"):
            raise RuntimeError(f"not a redis reply: {line[:40]!r}")
        return rest

    def cmd(self, *args):
        self.send(*args)
        return self.read()

    def info(self, section):
        text = self.cmd("INFO", section).decode()
        return dict(l.split(":", 1) for l in text.split("\r\n") if ":" in l)

    def calls(self, op):
        v = self.info("commandstats").get(f"cmdstat_{op}", "calls=0,")
        return int(v.split("calls=")[1].split(",")[0])


def preload(port, keys, size):
    r = Redis(port)
    val = b"x" * size
    batch = max(1, min(200, (4 << 20) // size))
    done = 0
    while done < keys:
        k = min(batch, keys - done)
        for i in range(done, done + k):
            r.send("SET", "key:%012d" % i, val)
        for _ in range(k):
            r.read()
        done += k
    r.s.close()


# ---------------------------------------------------------------- certificates

def openssl(*args, **kw):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kw)


def make_pki(d):
    os.makedirs(d, exist_ok=True)
    p = lambda n: os.path.join(d, n)
    if all(os.path.exists(p(n)) for n in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")):
        return
    for who in ("ca", "server", "client"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", p(who + ".key"))
    openssl("req", "-x509", "-new", "-key", p("ca.key"), "-sha256", "-days", "30", "-subj", "/CN=bench CA",
            "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-out", p("ca.crt"))
    for who, eku, san in (("server", "serverAuth", "DNS:localhost,IP:127.0.0.1"), ("client", "clientAuth", "DNS:client")):
        with open(p(who + ".ext"), "w") as f:
            f.write(f"subjectAltName={san}\nextendedKeyUsage={eku}\nkeyUsage=digitalSignature\nbasicConstraints=CA:false\n")
        openssl("req", "-new", "-key", p(who + ".key"), "-subj", f"/CN={who}", "-out", p(who + ".csr"))
        openssl("x509", "-req", "-in", p(who + ".csr"), "-CA", p("ca.crt"), "-CAkey", p("ca.key"), "-CAcreateserial",
                "-days", "30", "-sha256", "-extfile", p(who + ".ext"), "-out", p(who + ".crt"))
    with open(p("server.pem"), "w") as f:
        f.write(open(p("server.crt")).read() + open(p("server.key")).read())


# ---------------------------------------------------------------- paths

class Path:
    def __init__(self, name, port, tls, pid=None, host=HOST, candidate=False, redis_pid=None, ctl=None):
        self.name, self.port, self.tls, self.pid, self.host = name, port, tls, pid, host
        self.candidate, self.redis_pid, self.ctl = candidate, redis_pid, ctl
        self.no_proxy = not pid and not candidate  # redis itself: its proxy CPU is 0

    def proxy_pids(self):
        return family(self.pid) if self.pid else []


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def find(*names):
    for n in names:
        w = shutil.which(n, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
        if w:
            return w
    return None


def start_redis(tmp, name, port, tls_port, pki, mtls):
    conf = write(f"{tmp}/{name}.conf", f"""bind {HOST}
port {port}
tls-port {tls_port}
tls-cert-file {pki}/server.crt
tls-key-file {pki}/server.key
tls-ca-cert-file {pki}/ca.crt
tls-auth-clients {"yes" if mtls else "no"}
tls-protocols "TLSv1.3"
save ""
appendonly no
daemonize no
dir {tmp}
""")
    p = spawn([find("redis-server"), conf], f"{tmp}/{name}.log")
    wait_port(port, p, name, f"{tmp}/{name}.log")
    return p


def start_peer(name, tmp, pki, backend, cores, mtls):
    """start one proxy in front of backend; None when it is not installed"""
    port, lf = free_port(), f"{tmp}/{name}.log"
    if name == "stunnel":
        exe = find("stunnel4", "stunnel")
        conf = f"""foreground = yes
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
sslVersionMin = TLSv1.3
[redis]
accept = {HOST}:{port}
connect = {HOST}:{backend}
cert = {pki}/server.pem
TIMEOUTclose = 0
""" + (f"CAfile = {pki}/ca.crt\nverifyChain = yes\n" if mtls else "")
        argv = lambda f: [exe, f]
    elif name == "haproxy":
        exe = find("haproxy")
        conf = f"""global
  nbthread {cores}
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen redis
  bind {HOST}:{port} ssl crt {pki}/server.pem{f" ca-file {pki}/ca.crt verify required" if mtls else ""}
  server r {HOST}:{backend}
"""
        argv = lambda f: [exe, "-f", f]
    elif name == "nginx":
        exe = find("nginx")
        mod = "/usr/lib/nginx/modules/ngx_stream_module.so"
        if exe and not os.path.exists(mod):
            exe = None
        user = "user root;" if os.geteuid() == 0 else ""
        conf = f"""load_module {mod};
{user}
worker_processes {cores};
daemon off;
pid {tmp}/nginx.pid;
error_log {tmp}/nginx.err warn;
events {{ worker_connections 8192; }}
stream {{
  ssl_certificate {pki}/server.crt;
  ssl_certificate_key {pki}/server.key;
  ssl_protocols TLSv1.3;
  {f"ssl_verify_client on; ssl_client_certificate {pki}/ca.crt;" if mtls else ""}
  proxy_timeout 1h;
  access_log off;
  server {{ listen {HOST}:{port} ssl reuseport; proxy_pass {HOST}:{backend}; }}
}}
"""
        argv = lambda f: [exe, "-p", tmp, "-e", f"{tmp}/nginx.err", "-c", f]
    else:
        raise SystemExit(f"unknown path {name}")
    if not exe:
        log(f"{name}: not installed, skipped")
        return None
    p = spawn(argv(write(f"{tmp}/{name}.conf", conf)), lf)
    wait_port(port, p, name, lf)
    return Path(name, port, True, p.pid)


# ---------------------------------------------------------------- workloads

# No SET of 16 KiB and more: redis-benchmark --tls 7.0 leaves Nagle's algorithm on and sends such a
# request as several TLS records, so each one waits about 40 ms for a delayed ACK, through any path.
#             op    value    keys  conns pipeline
WORKLOADS = {
    "get64":    ("get", 64, 10000, 50, 1),
    "set64":    ("set", 64, 10000, 50, 1),
    "get64p16": ("get", 64, 10000, 50, 16),
    "set64p16": ("set", 64, 10000, 50, 16),
    "get64c500": ("get", 64, 10000, 500, 1),
    "get16k":   ("get", 16384, 1000, 50, 1),
    "set15k":   ("set", 15000, 1000, 50, 1),
    "get1m":    ("get", 1 << 20, 32, 4, 1),
    "get64c1":  ("get", 64, 10000, 1, 1),
}
QUICK = ["get64", "get64p16", "set15k", "get1m"]


def tls_args(pki):
    return ["--tls", "--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/client.crt", "--key", f"{pki}/client.key",
            "--tls-ciphersuites", "TLS_AES_256_GCM_SHA384"]


def bench_once(path, w, n, pki, threads, limit):
    """one redis-benchmark run of n requests, with the CPU and the ops of a window inside it"""
    op, size, keys, conns, pipe = WORKLOADS[w]
    argv = [find("redis-benchmark"), "-h", path.host, "-p", str(path.port), "-c", str(conns), "-P", str(pipe),
            "-d", str(size), "-n", str(n), "-r", str(keys), "-t", op, "--csv"]
    if threads > 1 and conns > 1:
        argv += ["--threads", str(threads)]
    if path.tls:
        argv += tls_args(pki)
    proxy, redis, ctl = path.proxy_pids(), [path.redis_pid], Redis(path.ctl)
    c_start = ctl.calls(op)
    gen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           start_new_session=True)
    CHILDREN.append(gen)

    def snap():
        return dict(t=time.monotonic(), p=cpu_threads(proxy), r=cpu_threads(redis), g=cpu_threads([gen.pid]),
                    s=cpu_system(), n=ctl.calls(op))
    a = b = None
    t0 = time.monotonic()
    while gen.poll() is None:
        if time.monotonic() - t0 > limit:
            gen.kill()
            break
        time.sleep(0.02)
        if b is None:
            done = ctl.calls(op) - c_start
            if a is None and done >= 0.15 * n:
                a = snap()
            elif a is not None and done >= 0.8 * n:
                b = snap()
    out, err = gen.communicate()
    CHILDREN.remove(gen)
    ctl.s.close()
    rows = [l for l in out.decode(errors="replace").splitlines() if l.startswith(f'"{op.upper()}"')]
    if not rows:
        return dict(error=(err.decode(errors="replace") or out.decode(errors="replace"))[-200:].strip()
                    or "no result within the time limit")
    f = [float(x.strip('"')) for x in rows[-1].split(",")[1:]]
    d = dict(rb_ops=f[0], p50=f[3], p99=f[5], max=f[6])
    if a and b and b["n"] - a["n"] > 0.2 * n:
        k, dt = b["n"] - a["n"], b["t"] - a["t"]
        use = {x: b[x] - a[x] for x in "prgs"}
        d.update(ops=k / dt, proxy=use["p"] / k * 1e6 if path.pid or path.no_proxy else None, redis=use["r"] / k * 1e6, gen=use["g"] / k * 1e6,
                 other=max(0.0, (use["s"] - use["p"] - use["r"] - use["g"]) / dt))
    else:
        d.update(ops=f[0], proxy=None, redis=None, gen=None, other=0.0)
    return d


def handshakes(path, pki, resume, secs):
    """TLS 1.3 connect + PING + close in a loop -> microseconds of CPU per connection, by process"""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    ctx.check_hostname = False
    ctx.load_verify_locations(f"{pki}/ca.crt")
    ctx.load_cert_chain(f"{pki}/client.crt", f"{pki}/client.key")
    proxy, redis = path.proxy_pids(), [path.redis_pid]
    n = reused = 0
    sess = None
    p0, r0, t0 = cpu_process(proxy), cpu_process(redis), time.monotonic()
    while time.monotonic() - t0 < secs:
        raw = socket.create_connection((path.host, path.port), 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s = ctx.wrap_socket(raw, session=sess if resume else None)
        s.sendall(b"PING\r\n")
        if s.recv(64)[:5] != b"+PONG":
            raise RuntimeError(f"{path.name}: no PONG")
        n += 1
        reused += bool(s.session_reused)
        if resume:
            sess = s.session
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    time.sleep(0.1)
    return dict(n=n, reused=reused / max(1, n), proxy=(cpu_process(proxy) - p0) / n * 1e6,
                redis=(cpu_process(redis) - r0) / n * 1e6)


def idle_memory(path, pki, conns):
    """PSS growth, KiB per idle connection, of the proxy and of redis"""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.minimum_version = ssl.TLSVersion.TLSv1_3
    ctx.check_hostname = False
    ctx.load_verify_locations(f"{pki}/ca.crt")
    ctx.load_cert_chain(f"{pki}/client.crt", f"{pki}/client.key")
    held = []
    proxy, redis = path.proxy_pids(), [path.redis_pid]
    m0, r0 = pss_kib(proxy), pss_kib(redis)
    try:
        for _ in range(conns):
            s = socket.create_connection((path.host, path.port), 5)
            if path.tls:
                s = ctx.wrap_socket(s)
            s.sendall(b"PING\r\n")
            s.recv(64)
            held.append(s)
        time.sleep(0.3)
        return dict(base=m0 / 1024, proxy=(pss_kib(proxy) - m0) / conns, redis=(pss_kib(redis) - r0) / conns)
    finally:
        for s in held:
            s.close()
        time.sleep(0.5)


# ---------------------------------------------------------------- report

def med(xs):
    xs = [x for x in xs if x is not None]
    return statistics.median(xs) if xs else None


def fmt(x, d=1):
    return "-" if x is None else f"{x:.{d}f}"


def rng(xs, d=0, scale=1.0):
    xs = [x / scale for x in xs if x is not None]
    return f"{fmt(med(xs), d)} [{fmt(min(xs), d)}-{fmt(max(xs), d)}]" if xs else "-"


def ratio(a, b):
    return "-" if not a or not b else f"{a / b:.2f}"


def table(head, rows):
    w = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for r in [head] + rows:
        print("  ".join(str(c).ljust(w[i]) if i < 2 else str(c).rjust(w[i]) for i, c in enumerate(r)).rstrip())
    print()


def report(res, order, cands, hs, mem):
    rows = []
    for w in res:
        for p in order:
            rs = [r for r in res[w].get(p, []) if "error" not in r]
            if not rs:
                e = res[w].get(p, [{}])[-1].get("error", "not run")
                rows.append([w, p, "failed: " + e.replace("\n", " ")[:60], "", "", "", "", "", ""])
                continue
            g = lambda k: [r[k] for r in rs]
            srv = [r["proxy"] + r["redis"] if r["proxy"] is not None else None for r in rs]
            rows.append([w, p + ("!" if max(g("other")) > 0.15 else ""), rng(g("ops"), 1, 1000), fmt(med(g("p50")), 2),
                         rng(g("p99"), 2), fmt(med(g("proxy")) or None, 2), fmt(med(g("redis")), 2), fmt(med(srv), 2), fmt(med(g("gen")), 2)])
    print("\nAll paths: median [min-max] over the rounds; CPU in seconds per million ops")
    table(["workload", "path", "kops/s", "p50 ms", "p99 ms", "proxy", "redis", "srv", "loadgen"], rows)
    for c in cands:
        rows = []
        for w in res:
            rc = [r for r in res[w].get(c, []) if "error" not in r]
            for p in order:
                rp = [r for r in res[w].get(p, []) if "error" not in r]
                if p == c or not rc or not rp:
                    continue
                m = lambda rs, k: med([r[k] for r in rs])
                s = lambda rs: med([r["proxy"] + r["redis"] if r["proxy"] is not None else None for r in rs])
                rows.append([w, f"{c}/{p}", ratio(m(rc, "ops"), m(rp, "ops")), ratio(m(rc, "p99"), m(rp, "p99")),
                             ratio(m(rc, "proxy"), m(rp, "proxy")), ratio(s(rc), s(rp))])
        print(f"Candidate {c} over each peer (ops/s: above 1 is better; p99, CPU: below 1 is better; srv CPU is proxy + redis)")
        table(["workload", "candidate/peer", "ops/s", "p99", "proxy CPU", "srv CPU"], rows)
    if hs:
        print("New TLS 1.3 connection + PING + close, one at a time: CPU microseconds each")
        table(["path", "kind", "proxy", "redis", "sum", "resumed %", "n"],
              [[p, k, fmt(d["proxy"] or None, 0), fmt(d["redis"], 0), fmt(d["proxy"] + d["redis"], 0), fmt(100 * d["reused"], 0), d["n"]]
               for (p, k), d in hs.items()])
    if mem:
        print("Idle connections: PSS")
        table(["path", "base MiB", "proxy KiB/conn", "redis KiB/conn"],
              [[p, fmt(d["base"] or None), fmt(d["proxy"] if d["base"] else None), fmt(d["redis"])] for p, d in mem.items()])


# ---------------------------------------------------------------- main

def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("--quick", action="store_true", help="4 workloads, 2 rounds, short runs: about 2 minutes")
    ap.add_argument("--rounds", type=int, default=None, help="rounds (default 3, quick 2)")
    ap.add_argument("--secs", type=float, default=None, help="aimed length of one run (default 2.5, quick 0.9)")
    ap.add_argument("--workloads", default=None, help="comma list of " + ",".join(WORKLOADS))
    ap.add_argument("--paths", default="redis,redis-tls,stunnel,haproxy,nginx", help="peers to run")
    ap.add_argument("--candidate", action="append", default=[], metavar="NAME=HOST:PORT:PID",
                    help="a running TLS proxy (may be repeated); PID 0: no CPU figures")
    ap.add_argument("--candidate-plain", action="store_true", help="candidates speak plain TCP, not TLS")
    ap.add_argument("--candidate-backend-port", type=int, default=None, help="port of the redis behind the candidates")
    ap.add_argument("--pki", default=None, help="folder of certificates; made there when missing (default: temporary)")
    ap.add_argument("--make-pki", action="store_true", help="only make the certificates in --pki, then exit")
    ap.add_argument("--mtls", action="store_true", help="the peers require a client certificate (the client always has one)")
    ap.add_argument("--threads", type=int, default=2, help="load generator threads")
    ap.add_argument("--max-minutes", type=float, default=30, help="start nothing new after this long")
    ap.add_argument("--idle", type=int, default=400, help="idle connections for the memory figure, 0: leave out")
    ap.add_argument("--json", default=None, help="write all raw results here")
    o = ap.parse_args()

    if o.make_pki:
        if not o.pki:
            raise SystemExit("--make-pki needs --pki DIR")
        make_pki(os.path.abspath(o.pki))
        return
    for need in ("redis-server", "redis-benchmark", "openssl"):
        if not find(need):
            raise SystemExit(f"{need} is not installed")
    rounds = o.rounds or (2 if o.quick else 3)
    secs = o.secs or (0.9 if o.quick else 2.5)
    names = o.workloads.split(",") if o.workloads else QUICK if o.quick else list(WORKLOADS)
    for w in names:
        if w not in WORKLOADS:
            raise SystemExit(f"unknown workload {w}")
    deadline = time.monotonic() + 60 * o.max_minutes
    cores = len(os.sched_getaffinity(0))

    tmp = tempfile.mkdtemp(prefix="tlsbench.")
    atexit.register(shutil.rmtree, tmp, True)
    atexit.register(stop_children)
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(130))
    pki = os.path.abspath(o.pki) if o.pki else f"{tmp}/pki"
    make_pki(pki)

    backend, tls_port = o.candidate_backend_port or free_port(), free_port()
    try:
        Redis(backend, 1).cmd("PING")
        ours = False
    except (OSError, RuntimeError):
        ours = True
    tls_ctl = backend if ours else free_port()
    start_redis(tmp, "redis", tls_ctl, tls_port, pki, o.mtls)
    backend_pid = int(Redis(backend).info("server")["process_id"])

    paths = []
    for name in o.paths.split(","):
        if name == "redis":
            p = Path(name, backend, False)
        elif name == "redis-tls":
            p = Path(name, tls_port, True, ctl=tls_ctl)
            p.redis_pid = int(Redis(tls_ctl).info("server")["process_id"])
        else:
            p = start_peer(name, tmp, pki, backend, cores, o.mtls)
        if p:
            paths.append(p)
    for c in o.candidate:
        name, addr = c.split("=", 1)
        host, port, pid = addr.rsplit(":", 2)
        if not host.startswith("127.") and host != "localhost":
            raise SystemExit("a candidate must be on the loopback")
        paths.append(Path(name, int(port), not o.candidate_plain, int(pid) or None, host, True))
    for p in paths:
        p.redis_pid = p.redis_pid or backend_pid
        p.ctl = p.ctl or backend

    res, hs, mem, count = {w: {} for w in names}, {}, {}, {}
    for p in paths if o.idle else []:  # first, while the peers have served nothing yet
        try:
            mem[p.name] = idle_memory(p, pki, o.idle)
        except OSError as e:
            log(f"{p.name}: idle test: {e}")
    for w in names:
        op, size, keys, conns, pipe = WORKLOADS[w]
        for ctl in {p.ctl for p in paths}:
            preload(ctl, keys, size)
        for rd in range(rounds):
            k = rd % len(paths)
            for p in paths[k:] + paths[:k]:
                if time.monotonic() > deadline:
                    log("time is up: the rest is left out")
                    break
                key = (w, p.name)
                if key not in count:  # a short run says how many requests fill the wanted time
                    probe = max(conns * pipe * 4, min(8000 * pipe, (256 << 20) // size))
                    probe = min(probe, 20000 if pipe == 1 else 100000)
                    if conns == 1:
                        probe = 1500
                    d = bench_once(p, w, probe, pki, o.threads, 20)
                    if "error" in d:
                        res[w].setdefault(p.name, []).append(d)
                        count[key] = None
                    else:
                        count[key] = int(max(d["ops"] * secs, conns * pipe * 4))
                if count[key] is None:
                    continue
                for attempt in range(3):
                    d = bench_once(p, w, count[key], pki, o.threads, secs * 6 + 5)
                    if "error" in d or d["other"] <= 0.15:
                        break
                res[w].setdefault(p.name, []).append(d)
                log(f"{w:10} round {rd + 1} {p.name:12}", d.get("error") or
                    f"{d['ops']:9.0f} ops/s  p99 {d['p99']:.2f} ms  proxy {fmt(d['proxy'], 2)} redis {fmt(d['redis'], 2)} us/op  other {d['other']:.2f}")
    for p in paths:
        if time.monotonic() > deadline:
            break
        if p.tls:
            for kind in ("full", "resumed"):
                try:
                    hs[(p.name, kind)] = handshakes(p, pki, kind == "resumed", 0.6 if o.quick else 2.0)
                except (OSError, RuntimeError) as e:
                    log(f"{p.name}: handshake test: {e}")

    print(f"{cores} cores, {os.uname().release}; " + "; ".join(versions()))
    print(f"TLS 1.3, ECDSA P-256, TLS_AES_256_GCM_SHA384 (redis-benchmark offers only that); {rounds} rounds of about {secs} s; "
          f"redis-benchmark {o.threads} threads; client certificates {'required by the peers' if o.mtls else 'not asked for by the peers'}")
    report(res, [p.name for p in paths], [p.name for p in paths if p.candidate], hs, mem)
    if o.json:
        with open(o.json, "w") as f:
            json.dump(dict(results=res, handshakes={f"{a} {b}": d for (a, b), d in hs.items()}, idle=mem), f, indent=1)


def versions():
    out = []
    for argv in (["redis-server", "--version"], ["stunnel4", "-version"], ["haproxy", "-v"], ["nginx", "-v"], ["openssl", "version"]):
        exe = find(argv[0])
        if exe:
            r = subprocess.run([exe] + argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            lines = [l for l in r.stdout.decode(errors="replace").splitlines() if any(ch.isdigit() for ch in l)]
            if lines:
                out.append(" ".join(lines[0].split()[:4]))
    return out


if __name__ == "__main__":
    main()
