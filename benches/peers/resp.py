"""Just enough of a RESP2 client to fill a Redis and to ask it what it has done."""
import socket

from processes import HOST


class Redis:
    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection((HOST, port), timeout)
        self.replies = self.socket.makefile("rb")

    def close(self):
        self.socket.close()

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words))

    def read(self):
        line = self.replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.replies.read(length + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind not in (b"+", b":"):
            raise RuntimeError(f"not the reply that was wanted: {line[:80]!r}")
        return rest

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def info(self, section):
        lines = self.ask("INFO", section).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def calls(self, command):
        """How often a command was carried out."""
        figures = self.info("commandstats").get(f"cmdstat_{command}", "calls=0,")
        return int(figures.split("calls=")[1].split(",")[0])

    def fill(self, keys, size):
        """Sets key:000000000000 and so on, as redis-benchmark names them."""
        value, batch = b"x" * size, max(1, min(200, (4 << 20) // size))
        for first in range(0, keys, batch):
            some = range(first, min(first + batch, keys))
            for key in some:
                self.send("SET", f"key:{key:012}", value)
            for _ in some:
                self.read()
