/**
 * What is changed in the browser's own answer before it takes effect, and in what it sends afterwards.
 *
 * Knows SDP and one sender, no connection.
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

/** Three layers of pictures; the server leaves out the upper ones for a receiver with a weak network. */
const LAYERED = "L1T3";

/**
 * Send the video in temporal layers if more than one receives it. A browser that cannot goes on without.
 *
 * @param {RTCRtpSender} sender
 * @param {boolean} several
 */
export async function sendLayers(sender, several) {
  /** @type {RTCRtpSendParameters & { encodings: { scalabilityMode?: string }[] }} */
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings ?? [];
  if (!encoding || (encoding.scalabilityMode === LAYERED) === several) return;
  encoding.scalabilityMode = several ? LAYERED : "L1T1";
  await sender.setParameters(parameters).catch(() => undefined);
}
