/* The few parts of a document that modules use while they load; these tests draw nothing. */
globalThis.document = /** @type {any} */ ({
  createTreeWalker: () => ({}),
  createComment: () => ({}),
  querySelector: () => null,
});
