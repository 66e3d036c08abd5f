/** The pages there are, and for whom. */

import type { Key } from "../lib/i18n/index.svelte";
import { session } from "../lib/session.svelte";
import type { IconName } from "../lib/ui/Icon.svelte";

export interface Entry {
  href: string;
  label: Key;
  icon: IconName;
}

export function entries(): Entry[] {
  const found: Entry[] = [];
  if (session.staff) {
    found.push(
      { href: "/", label: "nav.console", icon: "map" },
      { href: "/alerts", label: "nav.alerts", icon: "bell" },
      { href: "/devices", label: "nav.devices", icon: "device" },
    );
  }
  if (session.has("administrator", "maintainer")) {
    found.push({ href: "/gateways", label: "nav.gateways", icon: "gateway" });
  }
  if (session.has("family")) {
    found.push({ href: "/family", label: "nav.family", icon: "family" });
    if (!session.staff) found.push({ href: "/alerts", label: "nav.alerts", icon: "bell" });
  }
  return found;
}

export const isCurrent = (href: string, path: string): boolean =>
  href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);
