/*
 * Runs in the pages of a measured visit, before their own scripts. Each function returns a Unix time
 * in ms, or a promise that resolves with one.
 */
const atMs = () => performance.timeOrigin + performance.now();
const ofName = (name) => (button) => button.textContent.includes(name) && button.checkVisibility();

// Presses the first visible button whose text contains `name`; returns when it was pressed.
window.__press = (name) => {
  const button = [...document.querySelectorAll("button")].find(ofName(name));
  const pressedMs = atMs();
  button.click();
  return pressedMs;
};

/* Resolves when the page has painted a button whose text contains `name`. A message that is sent in the
   callback of requestAnimationFrame arrives after the browser has painted that frame. */
window.__painted = (name) =>
  new Promise((done) => {
    const look = () => {
      if (![...document.querySelectorAll("button")].some(ofName(name))) {
        requestAnimationFrame(look);
        return;
      }
      const painted = new MessageChannel();
      painted.port1.onmessage = () => done(atMs());
      painted.port2.postMessage(0);
    };
    look();
  });

// Resolves when the page displays the first picture of the other party's video.
window.__tile = () =>
  new Promise((done) => {
    const look = () => {
      const tile = [...document.querySelectorAll("video")].find((video) => !video.muted && video.srcObject);
      if (!tile) {
        requestAnimationFrame(look);
        return;
      }
      tile.requestVideoFrameCallback((_, { expectedDisplayTime }) =>
        done(performance.timeOrigin + expectedDisplayTime),
      );
    };
    look();
  });
