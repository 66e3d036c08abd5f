/** What is said of something that a phone kept without a network and sent later. */

import { type Language, stamp } from "../lib/format";

type Key = "case.writtenAt" | "case.claimedAt" | "case.clockOff";
/** In the reader's language. */
type Say = (key: Key, values: Record<string, string | number>) => string;

/** What arrives within this is as good as written then. */
const AT_ONCE_MS = 60_000;

/** By the phone's clock when it was written, where that is not when it arrived; what it claimed of
 * the future; by how much its clock was off. */
export function keptSaid(
  of: Readonly<Record<string, unknown>>,
  arrived: string,
  language: Language,
  t: Say,
): string[] {
  const said: string[] = [];
  const { written, claimed, clock_off_s: off } = of;
  if (typeof written === "string" && Date.parse(arrived) - Date.parse(written) > AT_ONCE_MS) {
    said.push(t("case.writtenAt", { time: stamp(written, language) }));
  }
  if (typeof claimed === "string") {
    said.push(t("case.claimedAt", { time: stamp(claimed, language) }));
  }
  if (typeof off === "number") said.push(t("case.clockOff", { seconds: off }));
  return said;
}
