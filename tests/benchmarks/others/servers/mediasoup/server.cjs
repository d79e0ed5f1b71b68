// Runs mediasoup, with one worker and a router for each call. It reads commands as lines of JSON from
// standard input and prints a line of JSON for each. The first line that it prints has the process id of the
// worker. The argument is the folder of the modules.
"use strict";
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

  const commands = {
    /** Add a party; return what it needs for ICE. `ssrcs`: of the streams that it sends, by kind. */
    async join({ call, types, fingerprint, ssrcs }) {
      if (!calls.has(call)) {
        const offered = codecs(types);
        const router = await worker.createRouter({ mediaCodecs: Object.values(offered) });
        calls.set(call, { router, offered, parties: [] });
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
      return {};
    },
  };

  say({ worker: worker.pid });
  for await (const line of createInterface({ input: process.stdin })) {
    const { what, ...wanted } = JSON.parse(line);
    say(await commands[what](wanted).catch((problem) => ({ error: String(problem) })));
  }
  worker.close();
}

main();
