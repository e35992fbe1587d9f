"""The ways to Redis that are measured side by side: Redis itself, the proxies that Debian packages, and Redwall."""
import os
import time

from processes import HOST, family, find, free_port, pss, say, start, wait_for_port
from resp import Redis

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROXIES = ("stunnel", "haproxy", "nginx")
REDWALLS = ("redwall", "redwall-own", "redwall-large", "redwall-unix")
ALL = ("redis", "redis-tls", *PROXIES, *REDWALLS)
# Who has more users and networks than anybody: for the claim that they cost nothing.
USERS, NETWORKS = 10_000, 100_000


class Path:
    """One way to Redis. Its proxy, if there is one, has just been started."""

    def __init__(self, name, port, redis, tls=True, pid=None):
        self.name, self.port, self.tls, self.pid = name, port, tls, pid
        self.redis_port, self.redis_pid = redis, int(Redis(redis).info("server")["process_id"])
        self.pristine, self.settled = self.memory(), None

    def proxy_pids(self):
        return family(self.pid) if self.pid else []

    def is_redwall(self):
        return self.name in REDWALLS

    def by_unix_socket(self):
        """It differs from another path in how it reaches Redis alone: rows in which Redis has no part leave it out."""
        return self.name == "redwall-unix"

    def memory(self):
        """KiB of the proxy and of Redis."""
        return pss(self.proxy_pids()), pss([self.redis_pid])


def start_all(names, folder):
    """The paths of these names, all in front of one Redis. What isn't installed is left out, and said."""
    redis, tls = free_port(), free_port()
    start_redis(folder, redis, tls)
    makers = {
        "redis": lambda: Path("redis", redis, redis, tls=False),
        "redis-tls": lambda: Path("redis-tls", tls, redis),
        "stunnel": lambda: start_peer("stunnel", find("stunnel4", "stunnel"), stunnel, folder, redis),
        "haproxy": lambda: start_peer("haproxy", find("haproxy"), haproxy, folder, redis),
        "nginx": lambda: start_peer("nginx", find("nginx") if os.path.exists(NGINX_STREAM) else None, nginx, folder, redis),
        **{name: lambda name=name: start_redwall(name, folder, redis) for name in REDWALLS},
    }
    return [path for name in names if (path := makers[name]())]


def write(name, text):
    with open(name, "w") as f:
        f.write(text)
    return name


def start_redis(folder, port, tls_port):
    config = write(f"{folder}/redis.conf", f"""bind {HOST}
port {port}
unixsocket {folder}/redis.sock
unixsocketperm 700
tls-port {tls_port}
tls-cert-file {folder}/pki/server.crt
tls-key-file {folder}/pki/server.key
tls-ca-cert-file {folder}/pki/ca.crt
tls-auth-clients yes
tls-protocols "TLSv1.3"
maxclients 20000
save ""
appendonly no
daemonize no
dir {folder}
""")
    log = f"{folder}/redis.log"
    wait_for_port(port, start([find("redis-server"), config], log), log)


# ---------------------------------------------------------------- peers

NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"


def start_peer(name, program, configure, folder, redis):
    if not program:
        say(f"{name}: not installed, left out")
        return None
    port, log = free_port(), f"{folder}/{name}.log"
    text, options = configure(folder, port, redis)
    process = start([program, *options, write(f"{folder}/{name}.conf", text)], log)
    wait_for_port(port, process, log)
    return Path(name, port, redis, pid=process.pid)


def cores():
    return len(os.sched_getaffinity(0))


def stunnel(folder, port, redis):
    return f"""foreground = yes
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
sslVersionMin = TLSv1.3
[redis]
accept = {HOST}:{port}
connect = {HOST}:{redis}
cert = {folder}/pki/server.pem
TIMEOUTclose = 0
CAfile = {folder}/pki/ca.crt
verifyChain = yes
""", []


def haproxy(folder, port, redis):
    return f"""global
  nbthread {cores()}
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen redis
  bind {HOST}:{port} ssl crt {folder}/pki/server.pem ca-file {folder}/pki/ca.crt verify required
  server r {HOST}:{redis}
""", ["-f"]


def nginx(folder, port, redis):
    return f"""load_module {NGINX_STREAM};
{"user root;" if os.geteuid() == 0 else ""}
worker_processes {cores()};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err warn;
events {{ worker_connections 8192; }}
stream {{
  ssl_certificate {folder}/pki/server.crt;
  ssl_certificate_key {folder}/pki/server.key;
  ssl_protocols TLSv1.3;
  ssl_verify_client on;
  ssl_client_certificate {folder}/pki/ca.crt;
  proxy_timeout 1h;
  access_log off;
  server {{ listen {HOST}:{port} ssl reuseport; proxy_pass {HOST}:{redis}; }}
}}
""", ["-p", folder, "-e", f"{folder}/nginx.err", "-c"]


# ---------------------------------------------------------------- Redwall

def start_redwall(name, folder, redis):
    port, log = free_port(), f"{folder}/{name}.log"
    large = name == "redwall-large"
    if large:
        write_crowd(folder)
    backend = f"unix://{folder}/redis.sock" if name == "redwall-unix" else f"redis://{HOST}:{redis}"
    lanes = "own" if name == "redwall-own" else "shared"
    config = write(f"{folder}/{name}.toml", redwall(port, backend, lanes, large))
    process = start([f"{ROOT}/target/release/redwall", "run", "--config", config], log)
    wait_for_port(port, process, log)
    # The snapshot's making leaves its memory to be given back.
    time.sleep(1 if large else 0)
    return Path(name, port, redis, pid=process.pid)


def redwall(port, backend, lanes, large):
    return f"""[status]
listen = []

[log]
level = "warn"

[[database]]
name = "bench"
listen = ["{HOST}:{port}"]
allow = ["{HOST}"]
{'allow_files = ["networks.txt"]' if large else ""}
max_clients_per_address = 10000
lanes = "{lanes}"

[database.tls]
certificates = [{{ cert = "pki/server.crt", key = "pki/server.key" }}]
client_certificates = "required"
client_ca = [{{ name = "bench", file = "pki/ca.crt" }}]

[database.backend]
url = "{backend}"

{'[database.acl]' if large else ""}
{'aclfile = "users.acl"' if large else ""}

[database.users.client]
require = "certificate"
certificates = [{{ cn = "client", ca = "bench" }}]
rules = ["+@all", "-@dangerous", "+info", "~key:*"]
"""


def write_crowd(folder):
    """Files of users and networks that have nothing to do with what is measured."""
    with open(f"{folder}/users.acl", "w") as f:
        for user in range(USERS):
            f.write(f"user u{user} on #{user:064x} +@read +@write -@dangerous ~u{user}:* ~shared:* (+get %R~public:*)\n")
    with open(f"{folder}/networks.txt", "w") as f:
        for number in range(NETWORKS):
            address = 0x0b000000 + number * 16
            f.write(".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0)) + "/30\n")
