/* Finds what scripts need on their page: elements that the server drew, and the server's data for scripts. */

/**
 * Return the element that a selector finds. Throw an Error if the page has no such element of this class,
 * because the script then runs on a wrong page.
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

/** Return the server's data for the scripts of this page: the JSON in the element that `selector` finds. */
export const pageData = (selector = "#boot") => JSON.parse(one(selector, HTMLScriptElement).text);

/**
 * Return the address of a path on this site. A proxy may serve all pages below a prefix, which is added
 * here.
 *
 * @param {string} path the path without the prefix; it begins with a slash
 */
export const here = (path) => (document.documentElement.dataset.base ?? "") + path;
