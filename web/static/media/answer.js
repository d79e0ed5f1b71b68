/**
 * What is changed in the browser's own answer before it takes effect: text in, text out.
 *
 * Knows SDP, no connection.
 */

/** The line that lets lost packets of Opus be asked for again (generic NACK, RFC 4585). */
const NACK = "a=rtcp-fb:111 nack";

/**
 * The answer with NACK for sound, if the offer has it. Chromium sends lost sound again and asks for it if its
 * own description says so, but does not write it by itself.
 *
 * @param {string} answer
 * @param {string} offer
 */
export function withNackForSound(answer, offer) {
  if (!offer.includes(`${NACK}\r\n`) || answer.includes(`${NACK}\r\n`)) return answer;
  return answer.replaceAll(/^a=rtpmap:111 .*\r\n/gm, (line) => `${line}${NACK}\r\n`);
}
