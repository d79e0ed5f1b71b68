// Runs ws, the bare WebSocket library of Node, with Redis pub/sub and nothing else. It shows the least that
// such a server can cost. The arguments are the store's socket and the folder of the modules. When the server
// listens, it prints its port on standard output.
"use strict";
const [socketPath, modules] = process.argv.slice(2);
const load = (name) => require(`${modules}/node_modules/${name}`);
const { WebSocketServer } = load("ws");
const { createClient } = load("redis");
const CHANNEL = "rooms";

async function main() {
  const [store, publisher, subscriber] = [0, 1, 2].map(() => createClient({ socket: { path: socketPath } }));
  await Promise.all([store.connect(), publisher.connect(), subscriber.connect()]);
  const rooms = new Map();
  const join = (client, room) => {
    if (!rooms.has(room)) rooms.set(room, new Set());
    rooms.get(room).add(client);
    client.once("close", () => rooms.get(room).delete(client));
  };
  const emit = (room, op, data) =>
    publisher.publish(CHANNEL, JSON.stringify([room, JSON.stringify({ op, data })]));
  await subscriber.subscribe(CHANNEL, (message) => {
    const [room, text] = JSON.parse(message);
    const bytes = Buffer.from(text);
    for (const client of rooms.get(room) ?? []) client.send(bytes, { binary: false });
  });
  const answer = (client, op, data) => client.send(JSON.stringify({ op, data }));
  const operations = {
    listen: (client) => join(client, "queue"),
    hello: (client, me) => {
      client.me = me;
      join(client, me);
    },
    news: (_, data) => emit("queue", "queue.row", data),
    tell: (client, { to, data }, id) => {
      emit(to, "told", data);
      if (id) answer(client, "done", id);
    },
    claim: async (client, visit) => {
      const by = client.me;
      if (await store.set(visit, by, { NX: true })) {
        emit(`patient:${visit}`, "claimed", { visit, by });
        answer(client, "won", visit);
      } else {
        answer(client, "lost", { visit, by: await store.get(visit) });
      }
    },
    release: async (client, visit) => {
      await store.del(visit);
      answer(client, "released", visit);
    },
  };
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, backlog: 4096 });
  server.on("connection", (client) =>
    client.on("message", (message) => {
      const { op, data, id } = JSON.parse(message);
      operations[op](client, data, id);
    }),
  );
  server.on("listening", () => console.log(server.address().port));
}

process.on("SIGUSR2", () => global.gc()); // The benchmark sends this before it measures memory.
main();
