/* Chooses the visit that a tab shows if this browser has several visits. After a reload, the tab shows the
   same visit as before. */

/**
 * Return the visit that this tab has shown before; null if the tab must show the visit that the server chose,
 * which is then kept for this tab.
 *
 * @param {{ visit: string, visits: string[], home: string }} boot `visit`: the visit that the server chose;
 *   `visits`: all visits of this browser; `home`: the page's path
 * @param {boolean} asked true if the address names the visit
 * @param {Pick<Storage, "getItem" | "setItem">} storage the tab's storage
 */
export function ownOfTab({ visit, visits, home }, asked, storage = sessionStorage) {
  try {
    const kept = storage.getItem(`visit:${home}`);
    if (!asked && kept && kept !== visit && visits.includes(kept)) return kept;
    storage.setItem(`visit:${home}`, visit);
  } catch {
    // If the browser forbids storage, the tab shows the visit that the server chose.
  }
  return null;
}
