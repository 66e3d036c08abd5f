/** How what was written on site is sent; fetched when there is something to send. */

import { addPhotograph, note, written } from "../../../cases/cases";
import { Problem, answer, api } from "../../../lib/api/client";
import type { Entry } from "../../../lib/offline/outbox.svelte";
import type { SiteEntry } from "./entries";

const textOf = (entry: Entry): string => (entry.body as { text: string }).text;

export async function sendEntry({ subject, key, body, at }: Entry): Promise<void> {
  await answer(
    api.POST("/api/v1/water/cases/{case_id}/entries", {
      params: { path: { case_id: subject }, header: { "Idempotency-Key": key, ...written(at) } },
      body: body as SiteEntry,
    }),
  );
}

export async function sendNote(entry: Entry): Promise<void> {
  await note(entry.subject, textOf(entry), entry.key, entry.at);
}

export async function sendPhotograph(entry: Entry): Promise<void> {
  // A browser that has lost its picture says so: nothing counts as sent that was not.
  if (!entry.file) throw new Problem(422, "photograph-unknown", entry.kind, "");
  await addPhotograph(entry.subject, entry.file as File, textOf(entry), entry.key, entry.at);
}
