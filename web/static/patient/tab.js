/* Chooses the visit that a tab shows if this browser follows several. After a reload, a tab shows the same
   visit again. */

/**
 * Return the id of the visit that this tab has shown before; null if the visit that the server chose must
 * be shown.
 *
 * @param {{ visit: string, visits: string[], home: string }} boot `visit`: the server's choice
 * @param {boolean} asked true if the address names the visit
 * @param {Pick<Storage, "getItem" | "setItem">} storage
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
