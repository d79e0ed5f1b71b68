/* Subscribes this device to notifications that arrive while no page is open. The browser makes the
   subscription at its push service. This happens only when the person presses a button, never when a page
   loads. */

/**
 * Return true if this browser can show push notifications. On an iPhone, only a page that was added to the
 * home screen can.
 */
export const canPush = () =>
  "Notification" in globalThis && "PushManager" in globalThis && "serviceWorker" in navigator;

/**
 * Return the subscription that this browser has already, or null.
 *
 * @param {string} worker the path of the script that shows notifications
 */
export async function subscribed(worker) {
  const registration = await navigator.serviceWorker.getRegistration(worker);
  return (await registration?.pushManager.getSubscription()) ?? null;
}

/**
 * Resolve when the script that shows notifications is active.
 *
 * @param {ServiceWorkerRegistration} registration the browser's registration of the script
 */
async function activated({ active, installing, waiting }) {
  const next = installing ?? waiting;
  if (active || !next) return;
  await new Promise((resolve) => {
    next.addEventListener("statechange", () => next.state === "activated" && resolve(null));
  });
}

/**
 * Ask for permission and subscribe; return the subscription, or null if the person or the browser refuses.
 *
 * @param {PushOffer} offer the server's key and script for notifications
 */
export async function subscribe({ worker, key }) {
  if ((await Notification.requestPermission()) !== "granted") return null;
  const registration = await navigator.serviceWorker.register(worker);
  await activated(registration);
  const { pushManager } = registration;
  const how = { userVisibleOnly: true, applicationServerKey: key };
  try {
    return await pushManager.subscribe(how);
  } catch (error) {
    const other = await pushManager.getSubscription();
    if (!other) throw error;
    // The browser refuses a second subscription with another key. The old subscription was made with the key
    // of an earlier server.
    await other.unsubscribe();
    return pushManager.subscribe(how);
  }
}

/**
 * Return the subscription as fields of a form, so that the server can send notifications to it.
 *
 * @param {PushSubscription} subscription the subscription of this browser
 */
export function fieldsOf(subscription) {
  const { keys = {} } = subscription.toJSON();
  return { endpoint: subscription.endpoint, p256dh: keys.p256dh ?? "", auth: keys.auth ?? "" };
}
