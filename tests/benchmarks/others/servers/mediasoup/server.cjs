// Runs mediasoup, with one worker and a router for each call: node server.cjs FOLDER [PORT]. FOLDER has the
// modules. It reads commands as lines of JSON from standard input, and prints a line of JSON for each. The
// first line that it prints has the process id of the worker. With PORT (0: a free one, which the first line
// has), a command is instead the body of an HTTP POST, and its result is the answer.
"use strict";
const { once } = require("node:events");
const { createServer } = require("node:http");
const { json } = require("node:stream/consumers");
const { createInterface } = require("node:readline");
const mediasoup = require(`${process.argv[2]}/node_modules/mediasoup`);

const HOST = "127.0.0.1";
const FEEDBACK = [{ type: "nack" }, { type: "nack", parameter: "pli" }];

/** The codecs of a call, with the payload types that the parties send. */
const codecs = ({ opus, vp8 }) => ({
  audio: { kind: "audio", mimeType: "audio/opus", clockRate: 48000, channels: 2, preferredPayloadType: opus },
  video: {
    kind: "video",
    mimeType: "video/VP8",
    clockRate: 90000,
    preferredPayloadType: vp8,
    rtcpFeedback: FEEDBACK,
  },
});

async function main() {
  const worker = await mediasoup.createWorker({ logLevel: "none" });
  const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
  /** name of a call -> its router, codecs and parties; a party has a transport, producers and consumers */
  const calls = new Map();
  /** what can be waited for -> whether a call, undefined if there is none, no longer needs waiting */
  const over = {
    joined: (found) => found !== undefined && found.parties.length > 0,
    opened: (found) => found === undefined || found.opened,
    closed: (found) => found === undefined,
  };
  /** each request that waits: its call, what it waits for, and the function that answers it */
  const waiting = new Set();
  const changed = (call) => {
    for (const each of waiting) {
      if (each.call === call && over[each.until](calls.get(call))) {
        waiting.delete(each);
        each.answer(calls.has(call) || each.until === "closed" ? {} : { error: "the call is over" });
      }
    }
  };

  const commands = {
    /** Add a party; return what it needs for ICE. `ssrcs`: of the streams that it sends, by kind. */
    async join({ call, types, fingerprint, ssrcs }) {
      if (!calls.has(call)) {
        const offered = codecs(types);
        const router = await worker.createRouter({ mediaCodecs: Object.values(offered) });
        calls.set(call, { router, offered, parties: [], opened: false });
      }
      const { router, offered, parties } = calls.get(call);
      const transport = await router.createWebRtcTransport({
        listenIps: [HOST],
        enableUdp: true,
        enableTcp: false,
      });
      const fingerprints = [{ algorithm: "sha-256", value: fingerprint }];
      await transport.connect({ dtlsParameters: { role: "client", fingerprints } });
      const producers = [];
      for (const kind of ["audio", "video"]) {
        const { mimeType, clockRate, channels, preferredPayloadType, rtcpFeedback } = offered[kind];
        const codec = { mimeType, clockRate, channels, payloadType: preferredPayloadType, rtcpFeedback };
        const encodings = [{ ssrc: ssrcs[kind] }];
        producers.push(await transport.produce({ kind, rtpParameters: { codecs: [codec], encodings } }));
      }
      parties.push({ transport, producers, consumers: [] });
      const { usernameFragment, password } = transport.iceParameters;
      const { ip, port } = transport.iceCandidates[0];
      changed(call);
      return { ufrag: usernameFragment, password, host: ip, port };
    },
    /** Let each party of a call receive all others, without media yet. */
    async link({ call }) {
      const { router, parties } = calls.get(call);
      for (const party of parties) {
        for (const { producers } of parties.filter((other) => other !== party)) {
          for (const { id } of producers) {
            const wanted = { producerId: id, rtpCapabilities: router.rtpCapabilities, paused: true };
            party.consumers.push(await party.transport.consume(wanted));
          }
        }
      }
      return {};
    },
    /** Let media pass. mediasoup itself asks for the keyframes. */
    async open({ call }) {
      const consumers = calls.get(call).parties.flatMap((party) => party.consumers);
      await Promise.all(consumers.map((consumer) => consumer.resume()));
      calls.get(call).opened = true;
      changed(call);
      return {};
    },
    /** End a call, if there is one. */
    async close({ call }) {
      calls.get(call)?.router.close();
      calls.delete(call);
      changed(call);
      return {};
    },
    /** Return when somebody has `joined` a call, or it is `opened` or `closed`. `gone`: when nobody waits. */
    wait({ call, until }, gone) {
      if (!Object.hasOwn(over, until)) throw new Error(`nothing is known of ${until}`);
      return new Promise((answer) => {
        const one = { call, until, answer };
        waiting.add(one);
        gone.then(() => waiting.delete(one));
        changed(call);
      });
    },
  };

  const run = async ({ what, ...wanted }, gone = null) => {
    try {
      return await commands[what](wanted, gone);
    } catch (problem) {
      return { error: String(problem) };
    }
  };

  if (process.argv[3] !== undefined) {
    const http = createServer(async (request, response) => {
      const gone = new Promise((done) => response.on("close", done));
      const answer = await run(await json(request).catch(() => ({})), gone);
      response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
    http.keepAliveTimeout = 0; // A client may send its next command at any time.
    await once(http.listen(Number(process.argv[3]), HOST), "listening");
    say({ worker: worker.pid, port: http.address().port });
    return;
  }
  say({ worker: worker.pid });
  for await (const line of createInterface({ input: process.stdin })) say(await run(JSON.parse(line)));
  worker.close();
}

main();
