/* Connects a visit's media with its signalling: joins the media, answers offers, asks for new network
   paths, and notices when another tab takes the media over. It uses MediaSession and SignallingClient, not
   the DOM. */
import { canCall, MediaSession } from "../media.js";
import { codeOf } from "../signalling/errors.js";
import { PathRepair } from "./path_repair.js";

/** Refusals after which this page does not join again: the visit's new state decides what it shows. */
const FINAL = new Set(["not_allowed", "not_found", "wrong_status", "closed"]);

/** @type {DeviceKind[]} the kinds of devices that a call sends */
const KINDS = ["audio", "video"];

const NONE = { audio: false, video: false };
const NO_SCREEN = { sharing: null, asked: false };

/**
 * @typedef {"joining" | "connected" | "reconnecting" | "taken_over" | "closed" | "unable"} Path the state of
 *   the path between this browser and the server's media
 */

/**
 * Holds the state of a visit's media on this page, and fires `change`. A browser that cannot hold a call
 * (`path` is `unable`) joins too, so that the other parties see that its media have no path.
 */
export class MediaLink extends EventTarget {
  /** @type {MediaSession | null} this page's devices and connection; null before the start and at the end */
  media = null;
  /** @type {Path} the state of the path between this browser and the server's media */
  path = "joining";
  /** @type {Found} the result of `prepare` for each kind; null while permission is asked for */
  found = { audio: null, video: null };
  /** @type {Muted} the kinds that this person has switched off */
  muted = { audio: false, video: false };
  /** @type {Pick<Protocol.MediaShared, "sharing" | "asked">} who shares a screen, or is asked to share */
  screen = NO_SCREEN;
  /** @type {string | null} the key of the party who speaks, in a call of more than two */
  speaker = null;
  /** True while the server sends no pictures of other parties, because this network is too weak for them. */
  paused = false;
  /** @type {Partial<Muted>} the choices made on this page: kind -> true if switched off */
  #chosen = {};
  /** @type {Record<string, Muted | undefined>} party -> the kinds that it has switched off */
  #mutedBy = {};
  /** @type {Record<string, Muted | undefined>} party, this one included -> the kinds without a device */
  #missingOf = {};
  /** @type {Record<string, Protocol.MediaPath | undefined>} party -> the last message about its path */
  #paths = {};
  #client;
  #visit;
  #party;
  #sending = false;
  #repair = new PathRepair({
    restart: () => this.#client.request({ type: "media.restart", visit: this.#visit }),
    join: () => this.path !== "taken_over" && this.#join(),
  });
  #joining = false;
  #stop = new AbortController();

  /**
   * Connect nothing yet: keep the client, and listen to its messages about this visit.
   * @param {import("../signalling.js").SignallingClient} client the connection to the server
   * @param {string} visit the visit's id
   * @param {string} party the key of the party on this page
   */
  constructor(client, visit, party) {
    super();
    this.#client = client;
    this.#visit = visit;
    this.#party = party;
    const { signal } = this.#stop;
    /**
     * Return a handler of events that calls `handle` only for messages about this visit.
     * @template {{ visit: string }} Message
     * @param {(message: Message) => void} handle
     * @returns {(event: CustomEvent<Message>) => void}
     */
    const mine = (handle) => (event) => {
      if (event.detail.visit === visit) handle(event.detail);
    };
    client.addEventListener(
      "media.offer",
      mine((offer) => this.#accept(offer)),
      { signal },
    );
    client.addEventListener(
      "media.gone",
      mine(() => this.path !== "taken_over" && this.#join()),
      { signal },
    );
    client.addEventListener(
      "media.taken_over",
      mine(() => this.#takenOver()),
      { signal },
    );
    client.addEventListener(
      "media.muted",
      mine(({ party, kind, muted, missing = false }) => {
        this.#missingOf[party] = { ...(this.#missingOf[party] ?? NONE), [kind]: missing };
        if (party === this.#party) {
          this.#keepMuted(kind, muted);
          return this.#sendMissing();
        }
        this.#mutedBy[party] = { ...this.mutedOf(party), [kind]: muted };
        this.#set({});
      }),
      { signal },
    );
    client.addEventListener(
      "media.shared",
      mine(({ sharing, asked }) => this.#set({ screen: { sharing, asked } })),
      { signal },
    );
    client.addEventListener(
      "media.speaker",
      mine(({ party }) => this.#set({ speaker: party })),
      { signal },
    );
    client.addEventListener(
      "media.path",
      mine((path) => {
        this.#paths[path.party] = path;
        this.#set({});
      }),
      { signal },
    );
    client.addEventListener(
      "media.paused",
      mine(({ paused }) => this.#set({ paused })),
      { signal },
    );
    client.addEventListener(
      "welcome",
      ({ detail }) => {
        if (this.path === "taken_over") return;
        // The server sends both states again. What was muted while the socket was lost is sent below.
        this.#set({ speaker: null, paused: false });
        if (!detail.resumed || !this.#hadPath) return void this.#join();
        this.#sendMuted();
        this.#repair.now();
      },
      { signal },
    );
    client.addEventListener("moved", () => this.#hadPath && this.#repair.now(), { signal });
  }

  /** Show the preview and join the visit's media; if another tab of this person has them, it loses them. */
  async open() {
    this.#begin();
    this.#join();
    await this.prepare();
  }

  /** Ask for camera and microphone; call this again after a device was plugged in. Never throws. */
  async prepare() {
    const { media } = this;
    if (!media) return;
    this.#set({ found: { audio: null, video: null } });
    const found = await media.prepare({ audio: true, video: true });
    if (this.media !== media) return;
    this.#set({ found });
    this.dispatchEvent(new Event("devices"));
  }

  get #hadPath() {
    return this.path === "connected" || this.path === "reconnecting";
  }

  /** Return the kinds of media (audio, video) that another party has switched off. */
  mutedOf(/** @type {string} */ party) {
    return this.#mutedBy[party] ?? NONE;
  }

  /**
   * Return for which kinds (audio, video) it is no fault if a party's media stop: kinds switched off,
   * pictures that the server does not send (`paused`), and a shared screen, whose picture rarely changes.
   * @param {string} party the party's key
   */
  quietOf(party) {
    const { audio, video } = this.mutedOf(party);
    return { audio, video: video || this.paused || this.screen.sharing === party };
  }

  /**
   * Return why media of a party are absent: `audio` and `video`: true if they do not arrive; `missing`: the
   * kinds without a device; `paused`: true if the picture is missing only because this network is weak.
   * @param {string} party the party's key
   */
  hiddenOf(party) {
    const { audio, video } = this.mutedOf(party);
    const missing = this.#missingOf[party] ?? NONE;
    const off = video && this.screen.sharing !== party;
    return { audio, video: off || this.paused, missing, paused: this.paused && !off };
  }

  /**
   * Send an act about sharing a screen: begin, end, ask the patient to share, or decline. Reject if the
   * server refuses the act.
   * @param {Protocol.MediaShare["act"]} act what to do
   */
  share(act) {
    return this.#client.request({ type: "media.share", visit: this.#visit, act });
  }

  /** Send a screen in place of the camera; with null, send the camera again. */
  async show(/** @type {MediaStreamTrack | null} */ track) {
    await this.media?.show(track);
  }

  /**
   * Return what blocks a party's media; null if nothing does. For the party on this page, both the server and
   * this page must have found no path.
   * @param {string} party the party's key
   * @returns {"network" | "browser" | null}
   */
  blocked(party) {
    if (party === this.#party && this.path === "unable") return "browser";
    const known = this.#paths[party];
    const none = known?.path === "none" && (party !== this.#party || this.path !== "connected");
    return none ? (known.reason ?? "network") : null;
  }

  /** Return true if the server has lost the media of a party. */
  lost(/** @type {string} */ party) {
    return this.#paths[party]?.path === "lost";
  }

  /** Allow picture and sound to leave this device, or forbid it. The page allows it after Start Session. */
  send(/** @type {boolean} */ sending) {
    if (sending === this.#sending) return;
    this.#sending = sending;
    if (sending) this.media?.start();
    else this.media?.stop();
  }

  /**
   * Switch camera (`video`) or microphone (`audio`) off or on. The server enforces the choice.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {boolean} muted true if it is switched off
   */
  mute(kind, muted) {
    this.#chosen[kind] = muted;
    this.#apply(kind, muted);
    this.#client.request({ type: "media.mute", visit: this.#visit, kind, muted }).catch(() => {});
  }

  /**
   * Switch off a device that was switched off before this page was loaded, or in another tab.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {boolean} muted true if it is switched off
   */
  #keepMuted(kind, muted) {
    if (this.#chosen[kind] === undefined) this.#apply(kind, muted);
  }

  /**
   * Switch a device off or on in the media of this page, and keep the choice.
   * @param {DeviceKind} kind camera (video) or microphone (audio)
   * @param {boolean} muted true if it is switched off
   */
  #apply(kind, muted) {
    this.media?.setMuted(kind, muted);
    this.#set({ muted: { ...this.muted, [kind]: muted } });
  }

  #sendMuted() {
    for (const kind of KINDS) {
      const muted = this.#chosen[kind];
      if (muted !== undefined)
        this.#client.request({ type: "media.mute", visit: this.#visit, kind, muted }).catch(() => {});
    }
  }

  /** Send the server which kinds (audio, video) have no device here, unless it knows that already. */
  #sendMissing() {
    for (const kind of KINDS) {
      const [found, known] = [this.found[kind], this.#missingOf[this.#party]];
      const missing = found !== "on";
      // Nothing is sent while the state of the device is not known, or if the server knows it already.
      if (found === null || !known || missing === known[kind]) continue;
      this.#missingOf[this.#party] = { ...known, [kind]: missing };
      this.#client
        .request({ type: "media.mute", visit: this.#visit, kind, muted: this.muted[kind], missing })
        .catch(() => {});
    }
  }

  close() {
    this.#stop.abort();
    this.#repair.stop();
    this.media?.close();
    this.media = null;
    this.#set({ path: "closed" });
  }

  #begin() {
    this.media?.close();
    const media = new MediaSession({
      sendAnswer: (sdp, offer) =>
        this.#client.request({ type: "media.answer", visit: this.#visit, offer, sdp }),
    });
    this.media = media;
    this.#set({ path: canCall() ? "joining" : "unable" });
    media.addEventListener("state", () => this.media === media && this.#follow(media.state));
    /**
     * Listen to an event of the media until the media are closed.
     * @template {keyof import("../media.js").MediaEvents} Type the name of an event
     * @param {Type} type the name of the event
     * @param {(detail: import("../media.js").MediaEvents[Type]) => void} handle gets the event's detail
     */
    const on = (type, handle) =>
      media.addEventListener(type, ({ detail }) => {
        if (this.media !== media) return;
        handle(detail);
        this.#set({});
        this.dispatchEvent(new Event("devices"));
      });
    on("remotetrack", () => {});
    on("remotes", () => {});
    // Perhaps a missing device has been plugged in.
    on("devicechange", () => Object.values(this.found).includes("missing") && this.prepare());
    // Another program, such as a phone call, has the device now. MediaSession tries to open it again.
    on("trackended", (kind) => this.#set({ found: { ...this.found, [kind]: "busy" } }));
    on("tracksilent", () => {});
    on("trackrestored", (kind) => this.#set({ found: { ...this.found, [kind]: "on" } }));
    if (this.#sending) media.start();
    for (const kind of KINDS) if (this.muted[kind]) media.setMuted(kind, true);
  }

  async #join() {
    this.#repair.joined();
    // Without an open socket nothing is sent: the server's next `welcome` begins another attempt.
    if (this.#joining || !this.media || this.#client.status !== "open") return;
    this.#joining = true;
    try {
      await this.#client.request({ type: "media.join", visit: this.#visit, able: canCall() });
      this.#sendMuted();
    } catch (error) {
      if (!FINAL.has(codeOf(error))) this.#repair.later();
    } finally {
      this.#joining = false;
    }
  }

  /** Pass an offer of the server to the media. If the browser refuses it, join again later. */
  async #accept(/** @type {Protocol.MediaOffer} */ message) {
    const { media } = this;
    if (!media || this.path === "taken_over" || this.path === "unable") return;
    if (message.fresh) {
      this.#repair.joined();
      // The server sends the states of all parties again after a fresh offer, so the old states are dropped.
      [this.#mutedBy, this.#paths] = [{}, {}];
      this.#missingOf = { [this.#party]: NONE };
      this.#set({ screen: NO_SCREEN, speaker: null, paused: false });
      this.#sendMissing();
    }
    try {
      const { offer: id, sdp, fresh, ice_servers: iceServers } = message;
      await media.accept({ id, sdp, fresh, iceServers });
    } catch {
      if (this.media === media) this.#repair.later();
    }
  }

  /**
   * Set `path` for a new state of the connection; begin the repair of a lost connection.
   * @param {import("../media.js").MediaState} state the new state of the connection
   */
  #follow(state) {
    if (state === "connected") {
      this.#repair.found();
      this.#set({ path: "connected" });
    } else if (state === "connecting") {
      this.#repair.begun();
    } else if (state === "reconnecting") {
      this.#set({ path: "reconnecting" });
      this.#repair.lost();
    } else if (state === "failed") {
      this.#set({ path: "reconnecting" });
      this.#repair.later();
    }
  }

  #takenOver() {
    this.#repair.stop();
    this.media?.close();
    this.media = null;
    this.#set({ path: "taken_over", screen: NO_SCREEN, speaker: null, paused: false });
  }

  /**
   * Set some fields of this object, and fire `change`.
   * @param {Partial<MediaLink>} values the new values by field
   */
  #set(values) {
    Object.assign(this, values);
    if (values.found) this.#sendMissing();
    this.dispatchEvent(new Event("change"));
  }
}
