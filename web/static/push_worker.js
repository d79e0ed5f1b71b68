/* Shows the notifications that this server sends through a push service, also while none of its pages is
   open, and opens the page of a notification that is pressed. It is a separate script without imports,
   because the browser stores it and runs it alone. */

const worker = /** @type {PushWorker} */ (/** @type {unknown} */ (globalThis));

/**
 * Show the page of a notification: the open page with this path, or else a new page.
 *
 * @param {string} path the path of the page, with its query
 */
async function show(path) {
  const { pathname, href } = new URL(path, location.href);
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => new URL(url).pathname === pathname);
  await (page ? page.focus() : worker.clients.openWindow(href));
}

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("push", (event) => {
  const { title, body, path, lang, dir } = event.data.json();
  const how = { body, lang, dir, tag: path, renotify: true, data: path };
  event.waitUntil(worker.registration.showNotification(title, how));
});
worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data));
});
