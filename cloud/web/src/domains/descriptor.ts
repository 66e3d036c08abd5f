/** How a domain describes itself to the pages: what stands in its `index.ts`.
 *
 * A folder here is a domain. Beside the descriptor it may have `Section.svelte` (what an alert of
 * it says) and `page.ts` (a page of its own with its entry in the navigation); its colour is the
 * custom property `--domain-<word>` of its `colour.css`. Nothing else names a domain. */

import type { Component } from "svelte";
import type { Alert, AlertDomain, Role } from "../lib/api/model";
import type { Language } from "../lib/format";
import type { IconShape } from "../lib/ui/Icon.svelte";

type Words = Record<Language, string>;

export interface DomainDescriptor {
  key: AlertDomain;
  /** In lists and filters; the most urgent domain is the lowest. */
  rank: number;
  title: Words;
  icon: IconShape;
  /** Who may take an alert on, as far as the screen offers it; the server decides for itself. */
  actors: readonly Role[];
  /** Names of its devices' readings. */
  parameters: Readonly<Record<string, Words>>;
  /** What it reports has gone by at once; what is still open is the case. */
  momentary?: boolean;
  /** On an alert's page its evidence comes before its facts. */
  evidenceFirst?: boolean;
}

export type AlertSection = Component<{ alert: Alert }>;

export interface DomainPage {
  /** The first part of its address. */
  path: string;
  label: Words;
  icon: IconShape;
  roles: readonly Role[];
  /** It shows what this browser kept, and keeps what is written, where there is no network. */
  offline?: boolean;
  /** For people without an account as well; in nobody's navigation. */
  open?: boolean;
  /** Its code, fetched when it is first opened; the component is given the second part of the
   * address. */
  load: () => Promise<{ default: Component<{ item: string | null }> }>;
}
