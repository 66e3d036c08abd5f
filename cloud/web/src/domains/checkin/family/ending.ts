/** Which consents are to be renewed now: the same rule as `identity/ends_soon.py`, by which people
 * are told of it. */

import type { Consent, Scope } from "../../../lib/api/model";

const DAY_MS = 86_400_000;
/** So long before an end somebody is told, where it lasted for at least twice as long. */
const BEFORE_MS = [30, 7, 1].map((days) => days * DAY_MS);
/** So long after it ended it is offered. */
const AFTER_MS = 30 * DAY_MS;

type Ending = Pick<
  Consent,
  "id" | "account" | "granted" | "expires" | "revoked" | "scopes" | "footprint_from"
>;

/** Those of a person that end soon or have ended and with whose end something closes, newest first:
 * several others may go on for one together. */
export function endingOf<C extends Ending>(consents: readonly C[], now: number): C[] {
  const standing = consents.filter((one) => one.revoked === null);
  const closes = (one: C) =>
    one.scopes.some((scope) => !standing.some((other) => goesOn(other, one, scope)));
  return standing.filter((one) => isEnding(one, now) && closes(one));
}

function isEnding(one: Ending, now: number): boolean {
  const ends = Date.parse(one.expires);
  if (ends <= now) return now - ends < AFTER_MS;
  const lasted = ends - Date.parse(one.granted);
  return BEFORE_MS.some((before) => ends - now <= before && lasted >= 2 * before);
}

/** Whether the other one opens this to the same account as far, for longer. */
function goesOn(other: Ending, one: Ending, scope: Scope): boolean {
  if (other.account !== one.account || other.id === one.id) return false;
  const [ends, longer] = [Date.parse(one.expires), Date.parse(other.expires)];
  if (longer < ends || (longer === ends && other.id < one.id)) return false;
  if (!other.scopes.includes(scope)) return false;
  if (scope !== "footprint" || other.footprint_from === null) return true;
  return (
    one.footprint_from !== null &&
    Date.parse(other.footprint_from) <= Date.parse(one.footprint_from)
  );
}
