/* Chooses the visit that a tab shows if this browser follows several: after a reload, the same visit
   again. */

/**
 * Return the id of the visit that this tab has shown before; null if the page's own visit must be shown.
 *
 * @param {{ visit: string, visits: string[], home: string }} boot
 * @param {boolean} asked the address says which visit it is
 * @param {Pick<Storage, "getItem" | "setItem">} storage
 */
export function ownOfTab({ visit, visits, home }, asked, storage = sessionStorage) {
  try {
    const kept = storage.getItem(`visit:${home}`);
    if (!asked && kept && kept !== visit && visits.includes(kept)) return kept;
    storage.setItem(`visit:${home}`, visit);
  } catch {
    // The browser forbids storage: the tab shows the page's own visit.
  }
  return null;
}
