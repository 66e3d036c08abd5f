/** Findings of a gateway and revisions of what is wanted of it, as its page shows them. */

import { answer, api } from "../../lib/api/client";
import type { components } from "../../lib/api/schema";
import { ActKeys } from "../../lib/keys";

type Schema = components["schemas"];
export type Search = Schema["SearchEntry"];
export type Found = Schema["FoundDevice"];
export type Revisions = Schema["RevisionList"];
export type Revision = Schema["RevisionEntry"];
export type Mistake = Schema["SettingMistake"];

const EXPIRES_S = 600;
const keys = new ActKeys(EXPIRES_S * 1000);

/** The command's id: what it found or read is asked for by it. */
export async function ask(
  gateway: string,
  action: "discover" | "look",
  said: Record<string, unknown>,
): Promise<string> {
  const sent = await keys.send(JSON.stringify([gateway, action, said]), (key) => {
    const header = { "Idempotency-Key": key };
    return answer(
      api.POST("/api/v1/gateways/{gateway}/commands", {
        params: { path: { gateway }, header },
        body: {
          action,
          device: null,
          arguments: said as Record<string, never>,
          expires_in_s: EXPIRES_S,
        },
      }),
    );
  });
  return sent.id;
}

/** Whether more may come of it. */
export function running(search: Search | null): boolean {
  const asked = search?.asked;
  if (!asked) return false;
  if (search.report) return search.report.state === "searching";
  if (asked.accepted === false) return false;
  return !asked.expires || Date.parse(asked.expires) > Date.now();
}

/** Typed addresses: spaces, commas and lines between them. */
export const addressesOf = (text: string): string[] =>
  text
    .normalize("NFKC")
    .split(/[\s,、;]+/)
    .filter((one) => one !== "");

/** A proposal for an id, of what the finding is called. */
export function proposal(gateway: string, found: Found): string {
  const plain = found.title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const MOST = 40;
  return `${gateway.slice(0, 20)}-${plain.slice(0, MOST)}`.replace(/-+$/, "");
}

/** Waits for nothing: a revision that is not answered yet is neither. */
export function standing(one: Revision): "waiting" | "taken" | "refused" | "superseded" {
  if (one.accepted === null) return "waiting";
  if (one.code === "superseded") return "superseded";
  return one.accepted ? "taken" : "refused";
}
