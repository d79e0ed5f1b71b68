/* Returns the address of the WebSocket, and the socket that `patient/early.js` may have opened before the
   page's main script was loaded. Finds out whether sockets are blocked. Names the subprotocol. */

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
 * Return the socket that `patient/early.js` has opened before this script ran. Return null if there is none,
 * and at every call after the first, because only one client may use that socket.
 *
 * @param {string} url the path or address of the socket
 */
export function early(url) {
  const socket = globalThis.earlySocket;
  globalThis.earlySocket = null;
  return socket?.url === url && socket.readyState <= 1 ? socket : null;
}

/**
 * Return true if something between browser and server blocks WebSockets: the server still answers 426 to a
 * plain HTTP request for the socket's address.
 *
 * @param {string} url the address of the socket
 * @param {number} within_ms the longest time in ms to wait for the answer
 */
export async function blocksSockets(url, within_ms) {
  const signal = AbortSignal.timeout(within_ms);
  const answer = await fetch(url.replace(/^ws/, "http"), { cache: "no-store", signal }).catch(() => null);
  return answer?.status === 426;
}
