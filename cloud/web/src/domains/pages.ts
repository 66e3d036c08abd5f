/** Pages that belong to a domain: every `page.ts` beside this file. */

import { session } from "../lib/session.svelte";
import type { DomainPage } from "./descriptor";

const found = import.meta.glob<{ default: DomainPage }>("./*/page.ts", { eager: true });
const PAGES: readonly DomainPage[] = Object.values(found).map((module) => module.default);

/** Those that this account has in its navigation. */
export const ownPages = (): DomainPage[] => PAGES.filter((page) => session.has(...page.roles));

export const pageAt = (path: string): DomainPage | undefined =>
  PAGES.find((page) => page.path === path);

/** Where somebody begins who does not watch the city. */
export const firstPage = (): DomainPage | undefined => ownPages()[0] ?? PAGES[0];
