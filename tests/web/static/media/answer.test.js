import assert from "node:assert/strict";
import { test } from "node:test";

import { sendLayers, withNackForSound } from "../../../../web/static/media/answer.js";

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
