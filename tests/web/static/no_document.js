/* The little of a document that modules touch as they are loaded; nothing is drawn in these tests. */
globalThis.document = /** @type {any} */ ({
  createTreeWalker: () => ({}),
  createComment: () => ({}),
  querySelector: () => null,
});
