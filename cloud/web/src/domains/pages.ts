/** Pages that belong to a domain: every `page.ts` beside this file. */

import { session } from "../lib/session.svelte";
import type { DomainPage } from "./descriptor";

type Pages = DomainPage | readonly DomainPage[];
const found = import.meta.glob<{ default: Pages }>("./*/page.ts", { eager: true });
const PAGES: readonly DomainPage[] = Object.values(found).flatMap((module) => module.default);

/** Those that this account has in its navigation. */
export const ownPages = (): DomainPage[] => PAGES.filter((page) => session.has(...page.roles));

export const pageAt = (path: string): DomainPage | undefined =>
  PAGES.find((page) => page.path === path);

/** Where somebody begins who does not watch the city. */
export const firstPage = (): DomainPage | undefined => ownPages()[0] ?? PAGES[0];

/** One that needs no account. */
export const openPageAt = (path: string): DomainPage | undefined =>
  PAGES.find((page) => page.path === path && page.open);

/** One that goes on where the server cannot be reached. */
export const offlinePageAt = (path: string): DomainPage | undefined =>
  PAGES.find((page) => page.path === path && page.offline);
