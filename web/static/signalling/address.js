/* Where the signalling protocol is spoken, by which name, and the socket that was opened ahead. */

export const SUBPROTOCOL = "greenroom.v1.json";

/**
 * The absolute address of a socket; `url` may be relative.
 *
 * @param {string} url
 */
export function socketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  return absolute.href;
}

/**
 * The socket that the page has opened before this script was here, once; null if there is none of use.
 *
 * @param {string} url
 */
export function early(url) {
  const socket = globalThis.earlySocket;
  globalThis.earlySocket = null;
  return socket?.url === url && socket.readyState <= 1 ? socket : null;
}
