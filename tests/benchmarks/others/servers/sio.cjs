// Runs socket.io with the Redis adapter: a room for the queue, rooms for single people, claims by SET NX.
// The arguments are the store's socket and the folder of the modules. When the server listens, it prints its
// port on standard output.
"use strict";
const [socketPath, modules] = process.argv.slice(2);
const load = (name) => require(`${modules}/node_modules/${name}`);
const { Server } = load("socket.io");
const { createAdapter } = load("@socket.io/redis-adapter");
const { createClient } = load("redis");
const LONG_MS = 300_000;

async function main() {
  const [store, publisher, subscriber] = [0, 1, 2].map(() => createClient({ socket: { path: socketPath } }));
  await Promise.all([store.connect(), publisher.connect(), subscriber.connect()]);
  const http = require("node:http").createServer();
  const server = new Server(http, {
    adapter: createAdapter(publisher, subscriber),
    transports: ["websocket"],
    pingInterval: LONG_MS,
    pingTimeout: LONG_MS,
    perMessageDeflate: false,
  });
  server.on("connection", (client) => {
    client.on("listen", () => client.join("queue"));
    client.on("hello", (me) => {
      client.data.me = me;
      client.join(me);
    });
    client.on("news", (data) => server.to("queue").emit("queue.row", data));
    client.on("tell", ({ to, data }, answer) => {
      server.to(to).emit("told", data);
      if (answer) answer();
    });
    client.on("claim", async (visit) => {
      const by = client.data.me;
      if (await store.set(visit, by, { NX: true })) {
        server.to(`patient:${visit}`).emit("claimed", { visit, by });
        client.emit("won", visit);
      } else {
        client.emit("lost", { visit, by: await store.get(visit) });
      }
    });
    client.on("release", async (visit) => {
      await store.del(visit);
      client.emit("released", visit);
    });
  });
  http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(http.address().port));
}

process.on("SIGUSR2", () => global.gc()); // The benchmark sends this before it measures memory.
main();
