/* Camera, microphone and speaker in words and figures: why one does not work in this browser and what to do,
   how loud it is, whether the speaker can be heard. Knows no visit. */
import { inEach, t } from "./text.js";

/** @typedef {"Safari on iOS" | "Safari" | "Firefox" | "Chromium"} Family */

const PLACES = inEach(
  /** @returns {Record<Family, string>} */ () => ({
    "Safari on iOS": t(
      "Open Settings, then Apps, then Safari, then Camera and Microphone, choose Allow, and reload this " +
        "page.",
    ),
    Safari: t(
      "In the menu bar choose Safari, then Settings for This Website, set Camera and Microphone to Allow, " +
        "and reload this page.",
    ),
    Firefox: t(
      "Click the crossed-out camera or microphone at the left of the address, remove the block, and reload " +
        "this page.",
    ),
    Chromium: t(
      "Click the icon at the left of the address, turn on Camera and Microphone, and reload this page.",
    ),
  }),
);

const UNPLUG = () => t("Unplug it and plug it in again, or choose another, then press Try again.");
const CLOSE = () => t("Close other programs or tabs with video calls, then press Try again.");
const HTTP = () => t("This page was opened without encryption (http).");

// Whole sentences for each device: what one language says of both alike, another does not.
/** @typedef {Partial<Record<DeviceWord, string[]>>} Troubles what is wrong, and what to do */

const TROUBLES = inEach(
  /** @returns {Record<DeviceKind, Troubles>} */ () => ({
    video: {
      denied: [t("This browser does not let the page use the camera.")],
      missing: [
        t("No camera was found."),
        t("Connect one if you have it: the page takes it by itself. You can also join without a camera."),
      ],
      busy: [t("The camera is in use by another program."), CLOSE()],
      insecure: [HTTP(), t("Browsers give the camera only to https pages. Ask for the https link.")],
      failed: [t("The camera could not be started."), UNPLUG()],
    },
    audio: {
      denied: [t("This browser does not let the page use the microphone.")],
      missing: [
        t("No microphone was found."),
        t("Connect one if you have it: the page takes it by itself. You can also join without a microphone."),
      ],
      busy: [t("The microphone is in use by another program."), CLOSE()],
      insecure: [HTTP(), t("Browsers give the microphone only to https pages. Ask for the https link.")],
      failed: [t("The microphone could not be started."), UNPLUG()],
    },
  }),
);

/**
 * Which family's words to use.
 *
 * @returns {Family}
 */
export function browserFamily(agent = navigator.userAgent, touches = navigator.maxTouchPoints) {
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return "Safari on iOS";
  if (/Firefox\//.test(agent)) return "Firefox";
  if (/Chrom(e|ium)\//.test(agent)) return "Chromium";
  return /Safari\//.test(agent) ? "Safari" : "Chromium";
}

/**
 * Return {what, todo} for a reason of MediaSession.prepare (`denied`, `missing`, `busy`, `insecure`,
 * `failed`); null for `on`.
 *
 * @param {DeviceKind} kind
 * @param {DeviceWord | null} reason
 */
export function troubleWords(kind, reason, family = browserFamily()) {
  const words = reason && TROUBLES()[kind][reason];
  return words ? { what: words[0], todo: words[1] ?? PLACES()[family] } : null;
}

/**
 * Loudness of a stream, 0..1, many times a second, until the function that is returned is called.
 *
 * @param {MediaStream | null} stream
 * @param {(level: number) => void} heard
 */
export function watchLevel(stream, heard) {
  if (!stream?.getAudioTracks().length || !globalThis.AudioContext) return () => {};
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
    heard(Math.min(1, Math.max(0, 1 + Math.log10(Math.max(power, 1e-5)) / 2.4)));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}

/**
 * Play two soft notes. Resolves when they are over; throws when the browser forbids sound.
 *
 * @param {number[]} notes
 * @param {AudioContext | null} given
 */
export async function playNotes(notes = [523.25, 659.25], given = null) {
  const own = given === null;
  const context = given ?? new AudioContext();
  await context.resume();
  const start = context.currentTime + 0.03;
  notes.forEach((frequency, index) => {
    const at = start + index * 0.22;
    const tone = new OscillatorNode(context, { frequency, type: "sine" });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.22, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0008, at + 0.55);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.6);
  });
  await new Promise((done) => setTimeout(done, 220 * notes.length + 600));
  if (own) await context.close();
}

/**
 * Median round trip of three pings, as a word: `good`, `fair` or `poor`.
 *
 * @param {import("../signalling.js").SignallingClient} client
 */
export async function networkWord(client) {
  const trips = [];
  for (let i = 0; i < 3; i += 1) {
    const sent = performance.now();
    try {
      await client.request({ type: "ping" }, { timeout_ms: 3_000 });
      trips.push(performance.now() - sent);
    } catch {
      trips.push(Infinity);
    }
  }
  const median = trips.sort((a, b) => a - b)[1];
  return median < 200 ? "good" : median < 600 ? "fair" : "poor";
}
