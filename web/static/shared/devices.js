/* Returns sentences about why camera or microphone do not work and what to do, measures how loud the
   microphone is, and tests the speaker and the network. */
import { tryPaths } from "../media/paths.js";
import { inEach, t } from "./text.js";

const SOUND_WITHIN_MS = 3_000;

/**
 * @typedef {"Safari on iOS" | "Safari" | "Firefox" | "Chromium"} Family a family of browsers: their settings
 *   for camera and microphone are in the same place
 */
/**
 * @typedef {"iOS" | "macOS" | "Windows" | "Android" | "other"} System an operating system: each has its
 *   settings in another place
 */

/** Sentences about where a person finds the switch for camera and microphone in each family of browsers. */
const PLACES = inEach(
  /**
   * Return the sentence for each family of browsers.
   *
   * @returns {Record<Family, string>}
   */ () => ({
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

/** Sentences about where a person finds the switch for camera and microphone in each system's settings. */
const SETTINGS = inEach(
  /**
   * Return the sentence for each system.
   *
   * @returns {Record<System, string>}
   */ () => ({
    iOS: t(
      "Open Settings, then Apps, then this browser, turn on Camera and Microphone, and reload this page.",
    ),
    macOS: t(
      "Open System Settings, then Privacy & Security, turn on this browser under Camera and under " +
        "Microphone, and start the browser again.",
    ),
    Windows: t(
      "Open Settings, then Privacy & security, turn on access for desktop apps under Camera and under " +
        "Microphone, then press Try again.",
    ),
    Android: t(
      "Open Settings, then Apps, then this browser, then Permissions, allow Camera and Microphone, and " +
        "reload this page.",
    ),
    other: t(
      "Open the privacy settings of this device, let this browser use camera and microphone, and reload " +
        "this page.",
    ),
  }),
);

const FRAMED = () =>
  t("Tell the clinic. In the waiting room you can continue on another device, where it works.");
const UNPLUG = () => t("Unplug it and plug it in again, or choose another, then press Try again.");
const CLOSE = () => t("Close other programs or tabs with video calls, then press Try again.");
const HTTP = () => t("This page was opened without encryption (http).");
const NEWER = () =>
  t("For picture and sound use a current Chrome, Edge, Firefox or Safari. All else works here too.");

/** Return the sentence that the clinic will call the patient's phone number; "" without a number. */
export const byPhoneWords = (phone = "") =>
  phone ? t("The clinic can call you at {phone}.", { phone: phone.replaceAll(" ", "\u00a0") }) : "";
/**
 * Return the sentences for a browser without RTCPeerConnection: the problem, and what to do. `phone`: the
 * patient's phone number; "" if it is not known.
 */
export const noCallWords = (phone = "") => ({
  what: t("This browser cannot make video calls."),
  todo: `${NEWER()} ${byPhoneWords(phone)}`.trim(),
});
/**
 * Return the sentences for a network on which no call connects: the problem, and what to do before the
 * visit.
 */
export const blockedWords = () => ({
  what: t("Your network blocks video calls."),
  todo: t("Try mobile data or another Wi-Fi. If you stay, the clinic can call you by phone."),
});

/* Camera, microphone, and both together each have complete sentences, because in some languages a sentence
   cannot be composed of single words. */
/** @typedef {Exclude<DeviceWord, "on" | "off">} Reason a reason why a device does not work */
/**
 * @typedef {Record<Reason, [what: string, todo: string]>} Troubles reason -> the sentences: what is wrong,
 *   and what to do
 */

/**
 * Return the sentences for each device, and for both together.
 *
 * @param {Family} family the family of the browser
 * @param {System} system the operating system
 * @returns {Record<DeviceKind | "both", Troubles>}
 */
const troublesOn = (family, system) => ({
  video: {
    denied: [t("This browser does not let the page use the camera."), PLACES()[family]],
    system: [t("This device does not let the browser use the camera."), SETTINGS()[system]],
    framed: [t("The site that shows this page does not let it use the camera."), FRAMED()],
    silent: [
      t("Your camera gives no picture."),
      t(
        "It may be covered or switched off, or another program has taken it. The page goes on by itself as " +
          "soon as it is back.",
      ),
    ],
    missing: [
      t("No camera was found."),
      t("Connect one if you have it: the page takes it by itself. You can also join without a camera."),
    ],
    busy: [t("The camera is in use by another program."), CLOSE()],
    insecure: [HTTP(), t("Browsers give the camera only to https pages. Ask for the https link.")],
    unsupported: [t("This browser has no way to use a camera."), NEWER()],
    failed: [t("The camera could not be started."), UNPLUG()],
  },
  audio: {
    denied: [t("This browser does not let the page use the microphone."), PLACES()[family]],
    system: [t("This device does not let the browser use the microphone."), SETTINGS()[system]],
    framed: [t("The site that shows this page does not let it use the microphone."), FRAMED()],
    silent: [
      t("Your microphone gives no sound."),
      t(
        "It may be switched off at the headset, or another program has taken it. The page goes on by " +
          "itself as soon as it is back.",
      ),
    ],
    missing: [
      t("No microphone was found."),
      t("Connect one if you have it: the page takes it by itself. You can also join without a microphone."),
    ],
    busy: [t("The microphone is in use by another program."), CLOSE()],
    insecure: [HTTP(), t("Browsers give the microphone only to https pages. Ask for the https link.")],
    unsupported: [t("This browser has no way to use a microphone."), NEWER()],
    failed: [t("The microphone could not be started."), UNPLUG()],
  },
  both: {
    denied: [t("This browser does not let the page use camera and microphone."), PLACES()[family]],
    system: [t("This device does not let the browser use camera and microphone."), SETTINGS()[system]],
    framed: [t("The site that shows this page does not let it use camera and microphone."), FRAMED()],
    silent: [
      t("Your camera gives no picture and your microphone no sound."),
      t(
        "Another program or a phone call may have taken them. The page goes on by itself as soon as they " +
          "are back.",
      ),
    ],
    missing: [
      t("No camera and no microphone were found."),
      t("Connect them if you have them: the page takes them by itself."),
    ],
    busy: [t("Camera and microphone are in use by another program."), CLOSE()],
    insecure: [HTTP(), t("Browsers give camera and microphone only to https pages. Ask for the https link.")],
    unsupported: [t("This browser has no way to use camera and microphone."), NEWER()],
    failed: [
      t("Camera and microphone could not be started."),
      t("Unplug them and plug them in again, or choose others, then press Try again."),
    ],
  },
});

/**
 * Return the family of browsers to which this browser belongs, for the words about its settings. `agent`: the
 * browser's user agent; `touches`: the number of touch points, which distinguishes an iPad from a Mac.
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
 * Return the operating system of this device, for the words about its settings. `agent`: the browser's user
 * agent; `touches`: the number of touch points, which distinguishes an iPad from a Mac.
 *
 * @returns {System}
 */
export function systemFamily(agent = navigator.userAgent, touches = navigator.maxTouchPoints) {
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touches > 1)) return "iOS";
  if (/Android/.test(agent)) return "Android";
  if (/Macintosh/.test(agent)) return "macOS";
  return /Windows/.test(agent) ? "Windows" : "other";
}

/**
 * Return a copy of `found` with `silent` for each device that works but gives no picture or sound now.
 *
 * @param {Found} found the result for each device
 * @param {Pick<import("../media.js").MediaSession, "isSilent"> | null} media the media of the session, or
 *   null
 * @returns {Found}
 */
export function foundNow(found, media) {
  const now = (/** @type {DeviceKind} */ kind) =>
    found[kind] === "on" && media?.isSilent(kind) ? "silent" : found[kind];
  return { audio: now("audio"), video: now("video") };
}

/**
 * Return the problems of the devices and what to do: one entry of {what, todo} for each device, or one for
 * both if both have the same reason. A device has no entry if it works, if permission for it is being asked,
 * or if it was not requested.
 *
 * @param {Found} found the result for each device
 */
export function troubleWords({ video, audio }, family = browserFamily(), system = systemFamily()) {
  const words = troublesOn(family, system);
  /**
   * @type {[DeviceKind | "both", DeviceWord | null][]} each device with its result; one entry for both if
   *   the results are the same
   */
  const reasons =
    video === audio
      ? [["both", video]]
      : [
          ["video", video],
          ["audio", audio],
        ];
  return reasons.flatMap(([of, reason]) => {
    if (reason === null || reason === "on" || reason === "off") return [];
    const [what, todo] = words[of][reason];
    return [{ what, todo }];
  });
}

/**
 * Report the loudness of a stream many times a second, until the returned function is called.
 *
 * @param {MediaStream | null} stream the stream of the microphone
 * @param {(level: number) => void} onLevel is called with the loudness, from 0 to 1
 */
export function watchLevel(stream, onLevel) {
  if (!stream?.getAudioTracks().length || !globalThis.AudioContext) return () => {};
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
    onLevel(Math.min(1, Math.max(0, 1 + Math.log10(Math.max(power, 1e-5)) / 2.4)));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}

/**
 * Return the promise's value. Reject with a TimeoutError if it takes too long.
 *
 * @template Value
 * @param {Promise<Value>} promise the promise to wait for
 * @param {number} most_ms the longest time in ms
 * @returns {Promise<Value>}
 */
const within = (promise, most_ms) =>
  new Promise((resolve, reject) => {
    const late = () => reject(new DOMException("It takes too long.", "TimeoutError"));
    const timer = setTimeout(late, most_ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });

/**
 * Return the node that plays a context's sound: on the speaker with this id, or on the system's default for
 * "".
 *
 * @param {AudioContext} context the context that plays the sound
 * @param {string} speaker the id of the speaker
 * @returns {Promise<AudioNode>}
 */
async function outputOf(context, speaker) {
  if (!speaker) return context.destination;
  const output = context.createMediaStreamDestination();
  const element = new Audio();
  element.srcObject = output.stream;
  await element.setSinkId(speaker);
  await element.play();
  return output;
}

/**
 * Play soft notes. Resolve when the notes have ended. Reject if the browser forbids sound, or if no note has
 * started after some seconds: without a speaker, or during a phone call, some browsers would wait for ever.
 *
 * @param {{ notes?: number[], given?: AudioContext | null, speaker?: string }} options `notes`: the
 *   frequencies in Hz; `given`: an AudioContext to use, or null for a new AudioContext; `speaker`: the id of
 *   a speaker, "" for the system's default
 */
export async function playNotes({ notes = [523.25, 659.25], given = null, speaker = "" } = {}) {
  const context = given ?? new AudioContext();
  try {
    await within(context.resume(), SOUND_WITHIN_MS);
    const output = await within(outputOf(context, speaker), SOUND_WITHIN_MS);
    const start = context.currentTime + 0.03;
    notes.forEach((frequency, index) => {
      const at = start + index * 0.22;
      const tone = new OscillatorNode(context, { frequency, type: "sine" });
      const volume = new GainNode(context, { gain: 0 });
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.22, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0008, at + 0.55);
      tone.connect(volume).connect(output);
      tone.start(at);
      tone.stop(at + 0.6);
    });
    await new Promise((done) => setTimeout(done, 220 * notes.length + 600));
    if (context.currentTime < start) throw new DOMException("No sound came out.", "TimeoutError");
  } finally {
    // The code does not wait for `close`, because its promise may never be settled.
    if (given === null) context.close().catch(() => {});
  }
}

/**
 * Return why no sound was played and what to do, for an error of `playNotes`.
 *
 * @param {unknown} error the error
 */
export function soundTrouble(error) {
  return error instanceof DOMException && error.name === "TimeoutError"
    ? t("No sound started. Connect a speaker or headphones, and press again.")
    : t("The browser blocked the sound. Press again.");
}

/**
 * Return the quality of the network as a word: `blocked` if no network path for a call's media is found,
 * otherwise `good`, `fair` or `poor`, by the median round trip of three pings.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 */
export async function networkWord(client) {
  const [trips, path] = await Promise.all([tripWord(client), pathTo(client)]);
  return path === "none" ? "blocked" : trips;
}

/**
 * Return the best network path to the server's media; null if that cannot be tested now.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 */
async function pathTo(client) {
  try {
    const { sdp, ice_servers: iceServers } = await client.request({ type: "media.probe" });
    const path = await tryPaths(sdp, iceServers);
    client.request({ type: "media.probed", path }).catch(() => {});
    return path;
  } catch {
    return null;
  }
}

/**
 * Return `good`, `fair` or `poor`, by the median round trip of three pings; `poor` if none is answered.
 *
 * @param {import("../signalling.js").SignallingClient} client the connection to the server
 */
async function tripWord(client) {
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
