/** What counts of the register. */

import type { components } from "../../lib/api/schema";

type Certificate = components["schemas"]["CertificateEntry"];

/** An instrument's certificates, each kind and number as recorded last. */
export function standing(all: readonly Certificate[], serial: string): Certificate[] {
  const last = new Map<string, Certificate>();
  for (const one of all) {
    if (one.instrument === serial) last.set(`${one.kind}/${one.number}`, one);
  }
  return [...last.values()];
}

/** The city's date, as the register writes days. */
export const civilDay = (at: Date): string =>
  new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Taipei" }).format(at);
