/** A consent is given. */

import { answer, api } from "../../../lib/api/client";
import { type Choice, bodyOf } from "./choice";

const DAY_MS = 86_400_000;
/** A consent ends within a year of the server's clock, which may be behind. */
const CLOCKS_DIFFER_MS = 60_000;
/** For how many days a guardian gives one to themselves. */
export const OWN_DAYS = 365;

export async function give(
  person: string,
  account: string,
  days: number,
  choice: Choice,
): Promise<void> {
  const expires = new Date(Date.now() + days * DAY_MS - CLOCKS_DIFFER_MS).toISOString();
  const params = { path: { key: person } };
  const body = { account, expires, ...bodyOf(choice) };
  await answer(api.POST("/api/v1/people/{key}/consents", { params, body }));
}
