/** Who is signed in, and what their roles open. Tabs of one browser share the session. */

import { flushSync } from "svelte";
import { Problem, answer, api, onSignedOut, unanswered, useCsrf } from "./api/client";
import type { Account, Role } from "./api/model";
import { speech } from "./i18n/index.svelte";
import { forgetting } from "./live/forgetting.svelte";
import { type Writer, forgetOffline, offlineAccount } from "./offline/app";
import { outbox } from "./offline/outbox.svelte";
import { push } from "./push.svelte";

const RETRY_MS = 5_000;
/** Between tabs: somebody has signed out. */
const LEFT = "left";
/** Who watches the city. A role that is not named here is told of one thing alone. */
const STAFF: ReadonlySet<Role> = new Set([
  "inspector",
  "reviewer",
  "police",
  "dispatcher",
  "volunteer",
  "maintainer",
  "administrator",
]);

class Session {
  account: Account | null = $state(null);
  /** Until the server has said who we are, neither page nor sign-in is shown. */
  known = $state(false);
  expired = $state(false);
  unreachable: Problem | null = $state(null);
  /** Who wrote here before the server went out of reach: may go on writing, and sees no more. */
  offline: Writer | null = $state.raw(null);
  /** Whose is what this tab holds: they may have been signed out, and come back. */
  #holder: string | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #tabs = new BroadcastChannel("vigil.session");

  constructor() {
    onSignedOut(() => {
      // Several requests may learn it at once.
      this.expired ||= this.account !== null;
      this.account = null;
    });
    // Which pages there are follows the roles, and these may be what has changed.
    forgetting.onForget(() => {
      if (this.account !== null) void this.resume();
    });
    // Somebody has signed in or out in another tab: the cookie is not the one we knew.
    this.#tabs.addEventListener("message", ({ data }) => {
      if (data === LEFT) {
        this.expired ||= this.account !== null; // it is said here, too
        this.#belongsTo(null);
      }
      void this.resume();
    });
  }

  has(...roles: Role[]): boolean {
    return this.account?.roles.some((role) => roles.includes(role)) ?? false;
  }

  /** Someone who watches the city, not only a relative or who is told of one thing alone. */
  get staff(): boolean {
    return this.account?.roles.some((role) => STAFF.has(role)) ?? false;
  }

  async resume(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.#load();
      this.unreachable = null;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.unreachable = error.status === 401 ? null : error;
      this.offline = unanswered(error) ? offlineAccount() : null;
      if (this.unreachable) this.#retry = setTimeout(() => void this.resume(), RETRY_MS);
    }
    this.known = true;
  }

  async signIn(username: string, password: string): Promise<void> {
    await answer(api.POST("/api/v1/session", { body: { username, password } }));
    await this.entered();
  }

  /** The server has let somebody in: here, and in every tab of this browser. */
  async entered(): Promise<void> {
    await this.#load();
    this.#tabs.postMessage("changed");
  }

  /** Throws a `Problem` where the server has not ended the session. */
  async signOut(): Promise<void> {
    try {
      await answer(api.DELETE("/api/v1/session"));
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
    }
    await outbox.forget();
    forgetOffline();
    await push.forget().catch(() => undefined); // the server tells this browser nothing more
    this.#belongsTo(null);
    this.account = null;
    this.expired = false;
    this.#tabs.postMessage(LEFT);
  }

  /** Nothing stays of what somebody else was shown here, or has typed. */
  #belongsTo(username: string | null): void {
    if (this.#holder !== null && this.#holder !== username) {
      flushSync(() => (this.account = null)); // pages keep something as they are closed
      forgetting.left();
    }
    this.#holder = username;
  }

  async #load(): Promise<void> {
    const said = await answer(api.GET("/api/v1/session"));
    useCsrf(said.csrf);
    speech.suggest(said.account.language);
    // Who comes next on this device does not go on in another's name where the network ends.
    if (offlineAccount()?.username !== said.account.username) forgetOffline();
    this.#belongsTo(said.account.username);
    this.account = said.account;
    this.offline = null;
    this.expired = false;
    void outbox.signedIn(said.account.username);
    // Of no weight for the page; the dialog asks anew.
    void push.signedIn(said.account.username).catch(() => undefined);
  }
}

export const session = new Session();
