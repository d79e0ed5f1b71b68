/* Defines the few parts of `document` that modules use while they load. These tests draw nothing. */
globalThis.document = /** @type {any} */ ({
  createTreeWalker: () => ({}),
  createComment: () => ({}),
  querySelector: () => null,
});
