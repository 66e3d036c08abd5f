/** What is written on site: kinds of entries, and how each is kept until it is sent. */

import { newKey } from "../../../cases/cases";
import type { Case } from "../../../lib/api/model";
import type { components } from "../../../lib/api/schema";
import { outbox } from "../../../lib/offline/outbox.svelte";
import type { Incident } from "../incident";
import { NOTE, PHOTOGRAPH, SITE } from "../outbox";

export type SiteEntry = components["schemas"]["SiteEntryBody"];
export const KINDS = ["visit", "note", "photograph", "sample", "result", "suspect"] as const;
export type Kind = (typeof KINDS)[number];
export const LARGEST_BYTES = 20 * 1024 * 1024;

/** Of an inspection what its form needs without a network. */
export interface Copy {
  id: string;
  number: string;
  title: string;
  title_zh: string;
  outfalls: { id: string; name: string; name_zh: string; permit: string }[];
  samples: string[];
}

export function copyOfCase(one: Case, incident: Incident | null): Copy {
  const samples = one.history.flatMap(({ detail }) =>
    detail["entry"] === "sample" && typeof detail["number"] === "string" ? [detail["number"]] : [],
  );
  return {
    id: one.id,
    number: one.number,
    title: one.title,
    title_zh: one.title_zh,
    outfalls: (incident?.suspects ?? []).map(({ id, name, name_zh, permit }) => ({
      id,
      name,
      name_zh,
      permit,
    })),
    samples,
  };
}

export const keepEntry = (subject: string, label: string, body: SiteEntry): Promise<void> =>
  outbox.add({ key: newKey(), kind: SITE, subject, label, body, file: null });

export const keepNote = (subject: string, label: string, text: string): Promise<void> =>
  outbox.add({ key: newKey(), kind: NOTE, subject, label, body: { text }, file: null });

export const keepPhotograph = (
  subject: string,
  label: string,
  text: string,
  file: File,
): Promise<void> =>
  outbox.add({ key: newKey(), kind: PHOTOGRAPH, subject, label, body: { text }, file });
