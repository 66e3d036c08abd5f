/** The domains that these pages know: every folder beside this file that has a descriptor. */

import type { AlertDomain } from "../lib/api/model";
import { speech } from "../lib/i18n/index.svelte";
import { settings } from "../lib/settings.svelte";
import type { DomainDescriptor } from "./descriptor";

const found = import.meta.glob<{ default: DomainDescriptor }>("./*/index.ts", { eager: true });

export const DOMAINS: readonly DomainDescriptor[] = Object.values(found)
  .map((module) => module.default)
  .sort((one, other) => one.rank - other.rank);

const said = (key: AlertDomain) => settings.domains.find((one) => one.name === key);

/** One that these pages were built without is shown plainly, as the server describes it, or by
 * its own word; nobody is offered its actions. */
function plain(key: AlertDomain): DomainDescriptor {
  const told = said(key);
  return {
    key,
    rank: Number.MAX_SAFE_INTEGER,
    title: { en: told?.title ?? key, "zh-TW": told?.title_zh ?? key },
    icon: told?.look ? { path: told.look.icon } : "device",
    actors: [],
    parameters: {},
  };
}

export const describe = (domain: AlertDomain): DomainDescriptor =>
  DOMAINS.find((one) => one.key === domain) ?? plain(domain);

export const domainTitle = (domain: AlertDomain): string => describe(domain).title[speech.language];

/** For `--colour` of whatever is drawn in a domain's colour. */
export function domainColour(domain: AlertDomain): string {
  const look = said(domain)?.look;
  const otherwise = look
    ? `light-dark(${look.colour}, ${look.colour_dark})`
    : "var(--domain-unknown)";
  return `var(--domain-${domain}, ${otherwise})`;
}

/** Each of these once, in the order of lists; those that nobody knows come last. */
export const inRank = (domains: Iterable<AlertDomain>): DomainDescriptor[] =>
  [...new Set(domains)]
    .map(describe)
    .sort((one, other) => one.rank - other.rank || one.key.localeCompare(other.key));

/** A reading's name; one that nobody described is shown as the device calls it. */
export function parameterTitle(parameter: string): string {
  for (const domain of DOMAINS) {
    if (Object.hasOwn(domain.parameters, parameter)) {
      return domain.parameters[parameter]?.[speech.language] ?? parameter;
    }
  }
  return parameter.replaceAll("_", " ");
}
