// Drives Redwall with ioredis: ioredis.js PORT CERTS; exits 0 only if everything behaved.

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const Redis = require("ioredis");

const [port, certs] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(certs, name));

async function main() {
  const client = new Redis(`rediss://app:app@localhost:${port}/0`, { tls: { ca: read("ca.crt") } });
  assert.equal(await client.set("app:k", "v"), "OK");
  assert.equal(await client.get("app:k"), "v");
  await assert.rejects(client.get("other"), /NOPERM/);
  await client.hset("app:h", { a: 1, b: 2 });
  assert.deepEqual(await client.hgetall("app:h"), { a: "1", b: "2" });
  assert.deepEqual(await client.multi().set("app:n", 1).incr("app:n").exec(), [
    [null, "OK"],
    [null, 2],
  ]);
  const pipeline = client.pipeline();
  for (let number = 0; number < 500; number++) pipeline.set(`app:${number}`, number);
  assert.ok((await pipeline.exec()).every(([error]) => error === null));

  const subscriber = client.duplicate();
  await subscriber.subscribe("app:c");
  const message = new Promise((resolve) => subscriber.on("message", (channel, text) => resolve([channel, text])));
  await client.publish("app:c", "hello");
  assert.deepEqual(await message, ["app:c", "hello"]);

  const blocked = client.duplicate();
  const popped = blocked.blpop("app:l", 5);
  await client.rpush("app:l", "x");
  assert.deepEqual(await popped, ["app:l", "x"]);

  const certified = new Redis({
    host: "localhost",
    port,
    tls: { ca: read("ca.crt"), cert: read("client-alice.crt"), key: read("client-alice.key") },
  });
  assert.equal(await certified.call("ACL", "WHOAMI"), "alice");
  assert.equal(await certified.set("a:k", "v"), "OK");
  await assert.rejects(certified.get("app:k"), /NOPERM/);

  const stranger = new Redis(`rediss://app:wrong@localhost:${port}/0`, {
    tls: { ca: read("ca.crt") },
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  stranger.on("error", () => {});
  await assert.rejects(stranger.get("app:k"), /NOAUTH|WRONGPASS|closed/);
  for (const each of [client, subscriber, blocked, certified, stranger]) each.disconnect();
  console.log("ok");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
