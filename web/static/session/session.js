/* Draws the video session page, which is the same for patient and provider. Until both have pressed Start
   Session, it shows this person's camera, the devices and the other person's state; afterwards the call. The
   page is connected to the visit's media while it is shown; the visit's status decides what may be sent. */
import { mark } from "../shared/brand.js";
import { foundNow } from "../shared/devices.js";
import { html, nothing, ref } from "../shared/lit.js";
import { refusalWords, unchangedWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { announce, ask, toast } from "../shared/ui.js";
import { codeOf } from "../signalling/errors.js";
import { Asides } from "./asides.js";
import { bar } from "./bar.js";
import { CallWatch, LOOK_EVERY_MS } from "./call_watch.js";
import { callButtons, startButtons, waysOut } from "./controls.js";
import { DeviceChoice, deviceTroubles } from "./device_choice.js";
import { showDeviceChanges } from "./device_news.js";
import { MediaLink } from "./media_link.js";
import { blockedNotice, blockedWords } from "./network.js";
import { elsewhere, otherTile, overTiles, ownTile } from "./pair.js";
import { Screen } from "./screen.js";
import { Sound } from "./sound.js";
import { guestWords, othersOf, Tiles } from "./tiles.js";
import { WakeLock } from "./wake_lock.js";
import { begunWords, otherSpoken, ownWords, qualityWords } from "./words.js";

/** @typedef {import("./pair.js").Video} Video */

/** @type {Record<Role, "patient" | "provider">} role -> the role of the opposite party */
const OTHER = { patient: "provider", provider: "patient", guest: "patient" };

/** Draws the video session page of one visit, and is connected to the visit's media. */
export class Session {
  #client;
  #redraw;
  #organisation;
  #language;
  #asides;
  #more;
  #back;
  #patient;
  #link;
  /** @type {Protocol.VisitPart | null} the visit as the server last sent it */
  #visit = null;
  #devices;
  #watch;
  #pressing = false;
  // True after the person has pressed Start Session on this page.
  #pressed = false;
  #sound;
  #screen;
  #wakeLock = new WakeLock();
  #timer = 0;
  #stop = new AbortController();
  #spoken = "";
  /** @type {Video | null} the element that shows the opposite party; null until it is drawn */
  #remote = null;
  /** @type {Element | null} the element with the pictures of all parties; null until it is drawn */
  #pictures = null;
  #tiles;
  #left;
  // True after a picture of the opposite party has been decoded.
  #seen = false;
  #wasLive = false;

  /**
   * Prepare the video session page of a visit; `open()` begins to use the devices.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   visit: string,
   *   role: Role,
   *   party?: string,
   *   organisation: Organisation,
   *   language: import("../shared/language.js").Language,
   *   redraw: () => void,
   *   aside?: () => Aside | null,
   *   more?: () => Entry[],
   *   back?: ((mark?: Drawn) => Drawn) | null,
   *   left?: (() => void) | null,
   *   patient?: () => Protocol.PatientPart | null,
   *   asideOpens?: boolean,
   * }} options `visit`: the visit's id; `party`: the key of the party on this page, if it is a guest's;
   *   `aside()` returns the role's own panel, or null; `asideOpens`: true if that panel opens when the call
   *   begins; `more()` returns further menu entries; `back(mark)` draws the header's link, with `mark` in it;
   *   `left()` is called when a guest leaves; `patient()` returns the patient's information, or null
   */
  constructor({
    client,
    visit,
    role,
    party = role,
    organisation,
    language,
    redraw,
    aside = () => null,
    more = () => [],
    back = null,
    left = null,
    patient = () => null,
    asideOpens = false,
  }) {
    this.#client = client;
    this.id = visit;
    this.role = role;
    this.party = party;
    this.#tiles = new Tiles(redraw);
    this.#left = left;
    this.#redraw = redraw;
    this.#organisation = organisation;
    this.#language = language;
    this.#asides = new Asides({ client, visit, party, own: aside, opens: asideOpens, redraw });
    this.#more = more;
    this.#back = back;
    this.#patient = patient;
    this.#link = new MediaLink(client, visit, party);
    this.#screen = new Screen({ link: this.#link, role, party, redraw });
    this.#link.addEventListener("change", redraw);
    this.#watch = new CallWatch(this.#link, redraw);
    showDeviceChanges(this.#link, () => this.#live);
    this.#sound = new Sound({ videos: () => this.#pictures?.querySelectorAll("video.remote") ?? [], redraw });
    this.#devices = new DeviceChoice({ link: this.#link, sound: this.#sound, redraw });
    this.#link.addEventListener("devices", () => this.#listen());
  }

  /** Use the devices, and join the visit's media. */
  open() {
    const { signal } = this.#stop;
    this.#link.open();
    this.#asides.start();
    this.#timer = setInterval(() => this.#watch.look(), LOOK_EVERY_MS);
    document.addEventListener("fullscreenchange", this.#redraw, { signal });
    this.#wakeLock.hold();
  }

  /**
   * Apply the visit's newest state.
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  update(visit) {
    if (!this.#visit) this.#pressed = visit.parties[this.party].started;
    this.#visit = visit;
    this.#link.send(this.#live || this.#me.started);
    if (this.#live !== this.#wasLive) this.#watch.restart(this.#live);
    if (this.#live && !this.#wasLive) this.#listen();
    this.#asides.follow(this.#live);
    this.#screen.follow(visit, this.#live);
    const begun = () => (this.#wasLive ? this.#spoken : begunWords(this.#link, othersOf(visit, this.party)));
    const spoken = this.#live ? begun() : otherSpoken(this.#other);
    this.#wasLive = this.#live;
    if (spoken !== this.#spoken) announce(spoken);
    this.#spoken = spoken;
  }

  close() {
    this.#stop.abort();
    clearInterval(this.#timer);
    this.#asides.stop();
    this.#screen.close();
    this.#link.close();
    this.#wakeLock.release();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }

  closeAside() {
    this.#asides.show(null);
  }

  get title() {
    return this.#visit ? t("Session with {name}", this.#other) : t("Your session");
  }

  get #live() {
    return this.#visit?.status === "live" && (this.role !== "guest" || this.#me.started);
  }

  /** The visit's newest state. Use it only after the state has arrived. */
  get #known() {
    if (!this.#visit) throw new Error("The visit's state has not come yet.");
    return this.#visit;
  }

  get #me() {
    return this.#known.parties[this.party];
  }

  get #other() {
    return this.#known.parties[OTHER[this.role]];
  }

  async #start() {
    if (this.#pressing) return;
    this.#pressing = true;
    this.#redraw();
    this.#sound.press();
    this.#link.send(true);
    try {
      await this.#client.request({ type: "visit.start", visit: this.id }, { timeout_ms: 30_000 });
      this.#pressed = true;
    } catch (error) {
      if (!this.#live && !this.#me.started) this.#link.send(false);
      toast(`${refusalWords(error)} ${t("The session has not started; please press again.")}`, { bad: true });
    } finally {
      this.#pressing = false;
      this.#redraw();
    }
  }

  /**
   * Leave the visit or the call in one of several ways. If other parties would notice, ask for confirmation
   * first.
   * @type {Leave}
   */
  #leave = async (type, question) => {
    if (this.#left) return this.#left();
    const said = question ? await ask(question) : "yes";
    if (!said) return;
    this.#pressed = false;
    try {
      const { id: visit } = this;
      if (type === "visit.end") await this.#client.request({ type, visit, by_phone: said === "also" });
      else await this.#client.request({ type, visit });
    } catch (error) {
      if (codeOf(error) !== "wrong_status") toast(unchangedWords(error), { bad: true });
    }
  };

  /** Play the other parties' media after their elements are drawn. Before the call there is no sound. */
  #listen() {
    setTimeout(() => this.#live && this.#sound.listen());
  }

  #look() {
    const seen = Boolean(this.#remote?.videoWidth);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.#redraw();
  }

  #toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.#pictures?.requestFullscreen) this.#pictures.requestFullscreen().catch(() => {});
    else this.#remote?.webkitEnterFullscreen?.();
  }

  view() {
    if (!this.#visit)
      return html`<main id="main" tabindex="-1" class="session"><h1>${t("Your session")}</h1></main>`;
    if (this.#link.path === "taken_over") {
      return elsewhere({ here: () => this.#link.open(), back: this.#back?.() ?? nothing });
    }
    const { open, current } = this.#asides;
    return html`<div
      class="session"
      data-phase=${this.#live ? "call" : "lobby"}
      ?data-aside=${current !== null}
      ${ref((element) => {
        this.#pictures = element ?? null;
      })}>
      ${bar({
        home: this.#home(),
        title: this.title,
        since_ms: this.#live ? this.#visit.live_ms : null,
        quality: qualityWords({
          path: this.#link.path,
          blocked: this.#link.blocked(this.party) !== null,
          words: this.#link.paused ? "paused" : this.#watch.quality,
          standstill: this.#watch.first(othersOf(this.#visit, this.party)),
        }),
        asides: this.#asides.named,
        open,
        show: (which) => this.#asides.show(which),
        entries: [...this.#more(), ...this.#entries()],
      })}
      <main id="main" tabindex="-1" class="floor">
        ${this.#blocked(this.#visit)} ${this.#live ? this.#screen.notice(this.#visit.parties) : nothing}
        ${this.#floor(this.#visit)}
        ${this.#live ? nothing : this.#lobby()}
      </main>
      ${this.#asides.view(current)}
      <footer class="controls">
        ${
          this.#live
            ? this.#call()
            : startButtons({
                role: this.role,
                me: this.#me,
                pressing: this.#pressing,
                other: this.#other.name,
                start: () => this.#start(),
                leave: this.#leave,
              })
        }
      </footer>
    </div>`;
  }

  #entries() {
    if (!this.#live) return waysOut(this.role, this.#me, this.#leave);
    return [...this.#screen.entries, ...this.#language.entries()];
  }

  #home() {
    const whose = mark(this.#organisation, this.#organisation.name);
    return this.#back ? this.#back(this.#live ? undefined : whose) : whose;
  }

  /**
   * Draw the notice about a network that blocks picture and sound, and how to continue by phone.
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  #blocked(visit) {
    const others = othersOf(visit, this.party).filter(
      ([key, { present }]) => present && this.#link.blocked(key),
    );
    const own = this.#link.blocked(this.party);
    const calls = this.role === "provider" && (own !== null || others.some(([key]) => key === "patient"));
    return blockedNotice({
      words: blockedWords({
        role: this.role,
        own: own !== null,
        unable: own ? own === "browser" : others.every(([key]) => this.#link.blocked(key) === "browser"),
        others: others.map(([, { name }]) => name),
        phone: this.#patient()?.phone_shown ?? null,
      }),
      call: calls ? this.#patient() : null,
    });
  }

  /**
   * Draw the pictures: two tiles for two parties, or one tile for each party if there are more.
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  #floor(visit) {
    const others = othersOf(visit, this.party);
    const opposite = OTHER[this.role];
    const live = this.#live;
    const own = ownTile({ link: this.#link, live, started: this.#me.started });
    const stopped = (/** @type {string} */ key) => this.#watch.of(key, visit.parties[key]);
    const call = {
      soundBlocked: live && this.#sound.blocked,
      listen: () => this.#sound.press(),
      interrupted: live && this.#link.path === "reconnecting",
    };
    if (others.length > 1) {
      return html`<div class="tiles many" data-count=${others.length}>
        ${this.#tiles.view({ others, link: this.#link, live, opposite, stopped })}${own}
        ${overTiles({ ...call, sound: t("Press to hear everybody") })}
      </div>`;
    }
    const other = otherTile({
      party: this.#other,
      role: this.role,
      live,
      seen: this.#seen,
      stream: this.#link.media?.remote ?? null,
      muted: this.#link.hiddenOf(opposite),
      screen: live && this.#link.screen.sharing === opposite,
      resized: () => this.#look(),
      held: (video) => {
        this.#remote = video;
      },
      over: overTiles({ ...call, sound: t("Press to hear {name}", this.#other) }),
      stopped: stopped(opposite),
    });
    return html`<div class="tiles">${other}${own}</div>`;
  }

  #lobby() {
    const { found, media, path } = this.#link;
    return html`<div class="prepare">
      ${deviceTroubles({ found: foundNow(found, media), again: () => this.#link.prepare() })}
      <p class="promise" role="status">
        ${
          this.role === "guest"
            ? guestWords({ visit: this.#known, me: this.#me })
            : ownWords({ me: this.#me, other: this.#other, path, cleared: this.#pressed })
        }
      </p>
      ${this.#asides.way()}
      ${this.#devices.view()}
      ${this.#language.view()}
    </div>`;
  }

  #call() {
    return callButtons({
      role: this.role,
      link: this.#link,
      other: this.#other.name,
      full: Boolean(document.fullscreenElement),
      canFull: Boolean(document.fullscreenEnabled || this.#remote?.webkitEnterFullscreen),
      toggleFull: () => this.#toggleFull(),
      screen: this.#screen.button,
      devices: () => this.#devices.view(),
      leave: this.#leave,
    });
  }
}
