/** A consent is given. */

import { answer, api } from "../../../lib/api/client";
import { ActKeys } from "../../../lib/keys";
import { type Choice, bodyOf } from "./choice";

const DAY_MS = 86_400_000;
/** A consent ends within a year of the server's clock, which may be behind. */
const CLOCKS_DIFFER_MS = 60_000;
/** For how many days a guardian gives one to themselves. */
export const OWN_DAYS = 365;
const keys = new ActKeys();

export async function give(
  person: string,
  account: string,
  days: number,
  choice: Choice,
): Promise<void> {
  const chosen = bodyOf(choice);
  const act = JSON.stringify([person, account, days, chosen]);
  await keys.send(act, (key, since) => {
    const expires = new Date(since + days * DAY_MS - CLOCKS_DIFFER_MS).toISOString();
    const params = { path: { key: person }, header: { "Idempotency-Key": key } };
    const body = { account, expires, ...chosen };
    return answer(api.POST("/api/v1/people/{key}/consents", { params, body }));
  });
}
