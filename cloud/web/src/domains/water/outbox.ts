/** What this domain keeps without a network: known to the outbox from the start, whatever page is
 * open; the code that sends it is fetched when there is something to send. */

import { Problem } from "../../lib/api/client";
import { outbox } from "../../lib/offline/outbox.svelte";
import { part } from "../../lib/parts";

export const SITE = "water-site";
export const NOTE = "case-note";
export const PHOTOGRAPH = "case-photograph";

/** Without a network its file may not come either: then all entries wait, and none is refused. */
const sending = () =>
  part(() => import("./site/sending"), "sendEntry").catch(() => {
    throw new Problem(0, "server-unreachable", "", "");
  });

outbox.sends(SITE, async (entry) => (await sending()).sendEntry(entry));
outbox.sends(NOTE, async (entry) => (await sending()).sendNote(entry));
outbox.sends(PHOTOGRAPH, async (entry) => (await sending()).sendPhotograph(entry));
