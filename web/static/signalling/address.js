/* Returns the address and the subprotocol of the signalling protocol, and the socket that a page may have
   opened before its scripts were loaded. */

export const SUBPROTOCOL = "greenroom.v1.json";

/**
 * Return the absolute address of a socket; `url` may be relative.
 *
 * @param {string} url the path or address of the socket
 */
export function socketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  return absolute.href;
}

/**
 * Return the socket that the page has opened before this script ran. Return null if there is none, and at
 * every call after the first.
 *
 * @param {string} url the path or address of the socket
 */
export function early(url) {
  const socket = globalThis.earlySocket;
  globalThis.earlySocket = null;
  return socket?.url === url && socket.readyState <= 1 ? socket : null;
}
