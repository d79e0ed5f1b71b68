import assert from "node:assert/strict";
import { test } from "node:test";

import { withNackForSound } from "../../../../web/static/media/answer.js";

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
