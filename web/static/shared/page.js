/* What a script finds on its page: elements that the server drew, and what it tells scripts as they start. */

/**
 * The element that a selector names. Throws where there is none of that kind: script and page do not fit.
 *
 * @template {Element} Kind
 * @param {string} selector
 * @param {new () => Kind} kind
 * @param {ParentNode} [within]
 * @returns {Kind}
 */
export function one(selector, kind, within = document) {
  const found = within.querySelector(selector);
  if (found instanceof kind) return found;
  throw new TypeError(`There is no ${kind.name} ${selector} on this page.`);
}

/** What the server tells the scripts of this page: the JSON in `#boot`, or in another element. */
export const told = (selector = "#boot") => JSON.parse(one(selector, HTMLScriptElement).text);
