/** Entries that domains keep without a network: every `outbox.ts` beside this file says how its own
 * are sent. Loaded with the first page: what was written yesterday leaves from any of them. */

import.meta.glob("./*/outbox.ts", { eager: true });
