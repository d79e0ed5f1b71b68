/* Sets the organisation's accent colour before the first paint. It is a classic script in the head,
   because the Content-Security-Policy forbids inline styles, but allows a script to set a property. If an
   accent is too light for white text, it is darkened (WCAG 2.2, 1.4.3). */
(() => {
  const wanted = /^#([0-9a-f]{6})$/i.exec(document.currentScript?.dataset.accent || "");
  if (!wanted) return;
  let parts = [0, 2, 4].map((at) => parseInt(wanted[1].slice(at, at + 2), 16));
  const luminance = (/** @type {number[]} */ rgb) => {
    const [r, g, b] = rgb
      .map((part) => part / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  while (1.05 / (luminance(parts) + 0.05) < 5) parts = parts.map((part) => Math.floor(part * 0.94));
  document.documentElement.style.setProperty("--accent", `rgb(${parts.join(" ")})`);
  document.documentElement.dataset.accent = "";
})();
