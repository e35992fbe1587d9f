"""Drives Redwall with redis-py: redis_py.py PORT CERTS; exits 0 only if everything behaved."""

import sys
import threading

import redis

port, certs = int(sys.argv[1]), sys.argv[2]


def url(user):
    return f"rediss://{user}:{user}@localhost:{port}/0"


def connect(user, **options):
    return redis.Redis.from_url(url(user), ssl_ca_certs=f"{certs}/ca.crt", decode_responses=True, **options)


def refused(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


for protocol in (2, 3):
    client = connect("app", protocol=protocol)
    assert client.ping()
    assert client.set("app:k", "v") and client.get("app:k") == "v"
    refused(redis.exceptions.NoPermissionError, lambda: client.get("other"))
    assert client.hset("app:h", mapping={"a": 1, "b": 2}) >= 0
    assert client.hgetall("app:h") == {"a": "1", "b": "2"}
    assert client.zadd("app:z", {"m": 1.5}) >= 0 and client.zscore("app:z", "m") == 1.5

    pipe = client.pipeline(transaction=True)
    pipe.set("app:n", 1).incr("app:n").get("app:n")
    assert pipe.execute() == [True, 2, "2"]

    with client.pipeline() as pipe:
        pipe.watch("app:n")
        client.set("app:n", 9)
        pipe.multi()
        pipe.set("app:n", 10)
        refused(redis.exceptions.WatchError, pipe.execute)

    plain = client.pipeline(transaction=False)
    for number in range(500):
        plain.set(f"app:{number}", number)
    assert all(plain.execute())

    pubsub = client.pubsub()
    pubsub.subscribe("app:c")
    assert pubsub.get_message(timeout=5)["type"] == "subscribe"
    client.publish("app:c", "hello")
    assert pubsub.get_message(timeout=5)["data"] == "hello"
    pubsub.close()

    waiter = threading.Thread(target=lambda: connect("app", protocol=protocol).rpush("app:l", "x"))
    waiter.start()
    assert client.blpop("app:l", timeout=5) == (["app:l", "x"] if protocol == 3 else ("app:l", "x"))
    waiter.join()

    refused(redis.exceptions.AuthenticationError, connect("nosuch", protocol=protocol).ping)

    certified = redis.Redis(
        host="localhost",
        port=port,
        ssl=True,
        ssl_ca_certs=f"{certs}/ca.crt",
        ssl_certfile=f"{certs}/client-alice.crt",
        ssl_keyfile=f"{certs}/client-alice.key",
        decode_responses=True,
        protocol=protocol,
    )
    assert certified.acl_whoami() == "alice"
    assert certified.set("a:k", "v")
    refused(redis.exceptions.NoPermissionError, lambda: certified.get("app:k"))

print("ok")
