/** The pages there are, and for whom. */

import { kinds } from "../cases/kinds.svelte";
import { ownPages } from "../domains/pages";
import { speech, t } from "../lib/i18n/index.svelte";
import { session } from "../lib/session.svelte";
import type { IconShape } from "../lib/ui/Icon.svelte";

export interface Entry {
  href: string;
  label: string;
  icon: IconShape;
}

export function entries(): Entry[] {
  const found: Entry[] = [];
  if (session.staff) {
    found.push(
      { href: "/", label: t("nav.console"), icon: "map" },
      { href: "/alerts", label: t("nav.alerts"), icon: "bell" },
      { href: "/devices", label: t("nav.devices"), icon: "device" },
    );
  }
  // Whose cases there are the domains decide, and the server says.
  if (kinds.list.length > 0) found.push({ href: "/cases", label: t("nav.cases"), icon: "case" });
  if (session.has("administrator", "maintainer")) {
    found.push({ href: "/gateways", label: t("nav.gateways"), icon: "gateway" });
  }
  if (session.has("administrator")) {
    found.push({ href: "/administration", label: t("nav.administration"), icon: "seal" });
  }
  const own = ownPages();
  for (const { path, label, icon } of own) {
    found.push({ href: `/${path}`, label: label[speech.language], icon });
  }
  if (session.has("family")) found.push({ href: "/homes", label: t("nav.homes"), icon: "home" });
  if (!session.staff && own.length > 0) {
    found.push({ href: "/alerts", label: t("nav.alerts"), icon: "bell" });
  }
  return found;
}

export const isCurrent = (href: string, path: string): boolean =>
  href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);
