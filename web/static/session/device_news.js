/* Shows a sentence when a device of this person stops working, and when it works again. */
import { foundNow, troubleWords } from "../shared/devices.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

/** @type {DeviceKind[]} the kinds of devices that are watched */
const KINDS = ["audio", "video"];

/**
 * Show a message whenever a device of this person stops or works again during the call. Before the call, the
 * page itself shows the same sentences above the list of devices.
 *
 * @param {import("./media_link.js").MediaLink} link the media of the visit
 * @param {() => boolean} live returns true during the call
 */
export function showDeviceChanges(link, live) {
  const before = { audio: false, video: false };
  link.addEventListener("change", () => {
    const found = foundNow(link.found, link.media);
    for (const kind of KINDS) {
      const silent = found[kind] === "silent";
      if (silent === before[kind]) continue;
      before[kind] = silent;
      if (live() && link.media) show(kind, silent);
    }
  });
}

/**
 * Ask for the devices once more during the call, and show why one still does not work.
 *
 * @param {import("./media_link.js").MediaLink} link the media of the visit
 */
export async function tryAgain(link) {
  await link.prepare();
  for (const { what, todo } of troubleWords(foundNow(link.found, link.media))) {
    toast(`${what} ${todo}`, { bad: true });
  }
}

/**
 * Show that a device has stopped, or works again.
 *
 * @param {DeviceKind} kind camera (video) or microphone (audio)
 * @param {boolean} silent true if the device gives neither picture nor sound
 */
function show(kind, silent) {
  if (!silent)
    return toast(kind === "audio" ? t("Your microphone works again.") : t("Your camera works again."));
  for (const { what, todo } of troubleWords({ audio: "on", video: "on", [kind]: "silent" })) {
    toast(`${what} ${todo}`, { bad: true });
  }
}
