/* Finds the parts of a page that its scripts use: elements that the server drew, and the server's data for
   scripts. */

/**
 * Return the element that a selector finds. Throw an error if there is no such element of this kind,
 * because script and page then do not match.
 *
 * @template {Element} Kind
 * @param {string} selector a CSS selector
 * @param {new () => Kind} kind the class of the element
 * @param {ParentNode} [within] the part of the page to search
 * @returns {Kind}
 */
export function one(selector, kind, within = document) {
  const found = within.querySelector(selector);
  if (found instanceof kind) return found;
  throw new TypeError(`There is no ${kind.name} ${selector} on this page.`);
}

/** Return the server's data for the scripts of this page: the JSON in `#boot`, or in another element. */
export const pageData = (selector = "#boot") => JSON.parse(one(selector, HTMLScriptElement).text);

/**
 * Return the address on this site of a path that the server has sent. A proxy may serve all pages below a
 * prefix.
 *
 * @param {string} path the path, which begins with a slash
 */
export const here = (path) => (document.documentElement.dataset.base ?? "") + path;
