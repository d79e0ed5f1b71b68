/** Changes the browser's own SDP answer before it is applied, and sets how video is sent afterwards. */

/** The line that enables retransmission of lost Opus packets (generic NACK, RFC 4585). */
const NACK = "a=rtcp-fb:111 nack";

/**
 * Return the answer with the line NACK added, which asks for retransmission of lost sound packets, if the
 * offer has that line. Chromium does not write the line by itself. Without the line, Chromium neither sends
 * lost sound packets again nor requests those that it did not receive.
 *
 * @param {string} answer the text of the browser's answer
 * @param {string} offer the text of the server's offer
 */
export function withNackForSound(answer, offer) {
  if (!offer.includes(`${NACK}\r\n`) || answer.includes(`${NACK}\r\n`)) return answer;
  return answer.replaceAll(/^a=rtpmap:111 .*\r\n/gm, (line) => `${line}${NACK}\r\n`);
}

/**
 * Return the answer with H.264 before VP8, if it has both. The server then offers H.264 first if the other
 * side accepts it.
 *
 * @param {string} answer the text of the browser's answer
 */
export function withH264First(answer) {
  return answer.replaceAll(/^(m=video \d+ \S+)((?: \d+)*?)((?: 10[23])+)((?: \d+)*)\r$/gm, "$1$3$2$4\r");
}

const SENT = { width: 1280, height: 720, bitrate: 1_500_000, framerate: 30 };

/**
 * Return true if this device encodes H.264 in hardware, but not VP8. H.264 then saves its battery.
 *
 * @param {MediaCapabilities | undefined} capabilities the browser's MediaCapabilities, if it has them
 */
export async function savesWithH264(capabilities) {
  const saves = async (/** @type {string} */ contentType) => {
    const video = { ...SENT, contentType };
    const found = await capabilities?.encodingInfo({ type: "webrtc", video }).catch(() => null);
    return Boolean(found?.supported && found.powerEfficient);
  };
  return (await saves("video/H264")) && !(await saves("video/VP8"));
}

/**
 * The name of the mode with three temporal layers: base pictures, and pictures in between that can be left
 * out. The server leaves them out for a receiver with a weak network.
 */
const LAYERED = "L1T3";

/**
 * Send the video in temporal layers if several parties receive it. A browser without temporal
 * layers sends the video unchanged.
 *
 * @param {RTCRtpSender} sender the sender of the video
 * @param {boolean} several true if several parties receive the video
 */
export async function sendLayers(sender, several) {
  /** @type {RTCRtpSendParameters & { encodings: { scalabilityMode?: string }[] }} */
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings ?? [];
  if (!encoding || (encoding.scalabilityMode === LAYERED) === several) return;
  encoding.scalabilityMode = several ? LAYERED : "L1T1";
  await sender.setParameters(parameters).catch(() => undefined);
}
