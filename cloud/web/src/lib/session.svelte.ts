/** Who is signed in, and what their roles open. */

import { Problem, answer, api, onSignedOut, useCsrf } from "./api/client";
import type { Account, Role } from "./api/model";
import { speech } from "./i18n/index.svelte";

class Session {
  account: Account | null = $state(null);
  /** Until the server has said who we are, neither page nor sign-in is shown. */
  known = $state(false);
  expired = $state(false);
  unreachable: Problem | null = $state(null);

  constructor() {
    onSignedOut(() => {
      // Several requests may learn it at once.
      this.expired ||= this.account !== null;
      this.account = null;
    });
  }

  has(...roles: Role[]): boolean {
    return this.account?.roles.some((role) => roles.includes(role)) ?? false;
  }

  /** Someone who watches the city, not only a relative. */
  get staff(): boolean {
    return this.account?.roles.some((role) => role !== "family") ?? false;
  }

  async resume(): Promise<void> {
    this.unreachable = null;
    try {
      await this.#load();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status !== 401) this.unreachable = error;
    }
    this.known = true;
  }

  async signIn(username: string, password: string): Promise<void> {
    await answer(api.POST("/api/v1/session", { body: { username, password } }));
    await this.#load();
    this.expired = false;
  }

  async signOut(): Promise<void> {
    await answer(api.DELETE("/api/v1/session"));
    this.account = null;
    this.expired = false;
  }

  async #load(): Promise<void> {
    const said = await answer(api.GET("/api/v1/session"));
    useCsrf(said.csrf);
    speech.suggest(said.account.language);
    this.account = said.account;
  }
}

export const session = new Session();
