/* Opens the page's WebSocket while the page's main script is still loading, which saves half a second on a
   slow network. `signalling.js` uses this socket unless it has opened its own already; no message is lost,
   because the server sends nothing before the client's hello. */
import { pageData } from "../shared/page.js";
import { SUBPROTOCOL, socketUrl } from "../signalling/address.js";

if (globalThis.earlySocket === undefined)
  globalThis.earlySocket = new WebSocket(socketUrl(pageData().ws), SUBPROTOCOL);
