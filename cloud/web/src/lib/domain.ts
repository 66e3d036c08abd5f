/** How a domain is named and drawn; one that these pages do not know yet keeps its own word. */

import type { AlertDomain, Domain } from "./api/model";
import { t } from "./i18n/index.svelte";
import type { IconName } from "./ui/Icon.svelte";

const SHIPPED = ["smoke", "noise", "water", "checkin"] as const;
const TOLD = [...SHIPPED, "platform"] as const;

/** The most urgent first. */
export const DOMAINS: readonly Domain[] = SHIPPED;
export const ALERT_DOMAINS: readonly AlertDomain[] = TOLD;

const known = (domain: AlertDomain) => TOLD.find((one) => one === domain);

export function domainTitle(domain: AlertDomain): string {
  const one = known(domain);
  return one === undefined ? domain : t(`domain.${one}`);
}

export const domainIcon = (domain: AlertDomain): IconName => known(domain) ?? "device";
