/** The kinds of cases that this account sees or may open: the domains described them. */

import { Problem, answer, api } from "../lib/api/client";
import type { CaseKind } from "../lib/api/model";
import { forgetting } from "../lib/live/forgetting.svelte";

class Kinds {
  list: CaseKind[] = $state.raw([]);

  constructor() {
    forgetting.onForget(() => void this.load());
  }

  async load(): Promise<void> {
    try {
      this.list = (await answer(api.GET("/api/v1/cases/kinds"))).kinds;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.list = [];
    }
  }

  forget(): void {
    this.list = [];
  }

  /** What can be opened from an alert of this domain. */
  from(domain: string): CaseKind[] {
    return this.list.filter((kind) => kind.may_open && kind.alert_domains.includes(domain));
  }

  get byHand(): CaseKind[] {
    return this.list.filter((kind) => kind.may_open && kind.by_hand && !kind.about_person);
  }
}

export const kinds = new Kinds();
