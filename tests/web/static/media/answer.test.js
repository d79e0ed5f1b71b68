import assert from "node:assert/strict";
import { test } from "node:test";

import {
  savesWithH264,
  sendLayers,
  withH264First,
  withNackForSound,
} from "../../../../web/static/media/answer.js";

const OFFER = "m=audio\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\na=rtcp-fb:111 transport-cc\r\n";
const ANSWER = "m=audio\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\nm=video\r\n";

test("sound gets NACK where the server offers it", () => {
  assert.equal(
    withNackForSound(ANSWER + ANSWER, OFFER),
    (
      "m=audio\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 nack\r\na=rtcp-fb:111 transport-cc\r\n" +
      "m=video\r\n"
    ).repeat(2),
  );
});

test("an answer stays as it is if the offer has no NACK for sound, or the answer has it or no sound", () => {
  assert.equal(withNackForSound(ANSWER, ANSWER), ANSWER);
  assert.equal(withNackForSound(OFFER, OFFER), OFFER);
  assert.equal(withNackForSound("m=video\r\n", OFFER), "m=video\r\n");
});

test("video has layers while several receive it, and changes only then", async () => {
  const set = [];
  const encoding = { scalabilityMode: undefined };
  const sender = {
    getParameters: () => ({ encodings: [encoding] }),
    setParameters: async (parameters) => {
      set.push(parameters.encodings[0].scalabilityMode);
    },
  };
  for (const several of [false, true, true, false]) await sendLayers(sender, several);
  assert.deepEqual(set, ["L1T3", "L1T1"]);
});

test("a browser without layers sends its video as it is", async () => {
  await sendLayers({ getParameters: () => ({}) }, true);
  await sendLayers({ getParameters: () => ({ encodings: [] }) }, true);
  const refusing = {
    getParameters: () => ({ encodings: [{}] }),
    setParameters: () => Promise.reject(new TypeError("scalabilityMode")),
  };
  await sendLayers(refusing, true);
});

test("H.264 and its retransmissions come first in the answer, if it has them", () => {
  const line = (/** @type {string} */ types) =>
    `m=audio 9 X 111\r\nm=video 9 UDP/TLS/RTP/SAVPF${types}\r\na=mid:1\r\n`;
  assert.equal(withH264First(line(" 96 97 102 103")), line(" 102 103 96 97"));
  assert.equal(withH264First(line(" 102 103 96 97")), line(" 102 103 96 97"));
  assert.equal(withH264First(line(" 96 97")), line(" 96 97"));
});

test("H.264 is preferred exactly if it saves power and VP8 does not", async () => {
  const device = (/** @type {string[]} */ ...hardware) => ({
    encodingInfo: async (/** @type {{ video: { contentType: string } }} */ { video }) => ({
      supported: true,
      powerEfficient: hardware.includes(video.contentType),
    }),
  });
  assert.equal(await savesWithH264(device("video/H264")), true);
  assert.equal(await savesWithH264(device("video/H264", "video/VP8")), false);
  assert.equal(await savesWithH264(device()), false);
  assert.equal(await savesWithH264(undefined), false);
  const unable = { encodingInfo: () => Promise.reject(new TypeError("webrtc")) };
  assert.equal(await savesWithH264(unable), false);
});
