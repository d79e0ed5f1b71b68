/* Defines the few parts of `document` that modules use while they load, because Node has none. Nothing is
   drawn. */
globalThis.document = /** @type {any} */ ({
  createTreeWalker: () => ({}),
  createComment: () => ({}),
  querySelector: () => null,
});
