/** What people do with a case. Each answer is the case as it then is. */

import { answer, api, Problem } from "../lib/api/client";
import type { Case } from "../lib/api/model";
import { contentOf } from "../lib/upload";

export { newKey } from "../lib/keys";

export type Step = "take" | "hand-over" | "decisions" | "refer" | "close" | "appeal" | "reopen";

interface Said {
  text?: string;
  to?: string;
  outcome?: string;
  amount_twd?: number | null;
  reason?: string;
  entries?: Record<string, string>;
  resolution?: string;
}

/** A step that changes where the case stands, on the version that is shown. */
export async function step(
  one: Pick<Case, "id" | "version">,
  name: Step,
  said: Said,
  key: string,
): Promise<Case> {
  const params = { path: { case_id: one.id }, header: { "Idempotency-Key": key } };
  const body = { version: one.version, ...said } as never;
  // One path for each step: the shapes are checked by the server, the answer is always the case.
  return answer(
    api.POST(`/api/v1/cases/{case_id}/${name}` as "/api/v1/cases/{case_id}/take", { params, body }),
  );
}

/** When something that is sent later was written, beside what this device's clock says now: the
 * cloud sees how far that clock is off. */
export const written = (at: string): { "written-at": string; "device-clock": string } => ({
  "written-at": at,
  "device-clock": new Date().toISOString(),
});

export async function note(id: string, text: string, key: string, at?: string): Promise<Case> {
  const header = { "Idempotency-Key": key, ...(at ? written(at) : {}) };
  const params = { path: { case_id: id }, header };
  return answer(api.POST("/api/v1/cases/{case_id}/notes", { params, body: { text } }));
}

export async function askAccess(id: string, reason: string, key: string): Promise<Case> {
  const params = { path: { case_id: id }, header: { "Idempotency-Key": key } };
  return answer(api.POST("/api/v1/cases/{case_id}/access", { params, body: { reason } }));
}

export async function setDeadline(id: string, due: Date, text: string, key: string): Promise<Case> {
  const params = { path: { case_id: id }, header: { "Idempotency-Key": key } };
  const body = { due: due.toISOString(), text };
  return answer(api.POST("/api/v1/cases/{case_id}/deadlines", { params, body }));
}

export async function meetDeadline(id: string, deadline: number, key: string): Promise<Case> {
  const params = { path: { case_id: id, deadline }, header: { "Idempotency-Key": key } };
  return answer(api.POST("/api/v1/cases/{case_id}/deadlines/{deadline}/meet", { params }));
}

/** As the server has it (`photographs.LARGEST_BYTES`): said before the whole file was sent. */
export const LARGEST_PHOTOGRAPH = 20 * 1024 * 1024;

export function tooLarge(picture: Blob): Problem | null {
  if (picture.size <= LARGEST_PHOTOGRAPH) return null;
  const data = { most: LARGEST_PHOTOGRAPH, of: "bytes" };
  return new Problem(413, "photograph-too-large", "Photograph too large", "", data);
}

export async function addPhotograph(
  id: string,
  picture: File,
  caption: string,
  key: string,
  at?: string,
): Promise<Case> {
  const refused = tooLarge(picture);
  if (refused) throw refused;
  const content = await contentOf(picture);
  return answer(
    api.POST("/api/v1/cases/{case_id}/photographs", {
      params: {
        path: { case_id: id },
        header: {
          "Idempotency-Key": key,
          slug: encodeURIComponent(caption),
          ...(at ? written(at) : {}),
        },
      },
      headers: { "Content-Type": picture.type || "image/jpeg" },
      body: content as never,
      bodySerializer: (body) => body as never,
    }),
  );
}

export async function openCase(
  kind: string,
  alerts: string[],
  title: string,
  key: string,
): Promise<Case> {
  const params = { header: { "Idempotency-Key": key } };
  return answer(api.POST("/api/v1/cases", { params, body: { kind, alerts, title } as never }));
}

export const pictureAddress = (id: string, photograph: string): string =>
  `/api/v1/cases/${id}/photographs/${photograph}`;

export const dossierAddress = (id: string, file: string): string =>
  `/api/v1/cases/${id}/dossier.${file}`;

const BETWEEN = /[\s.·•_‐-―−-]+/g;

/** A sealed package as one file for a browser, in which everybody is blurred. */
export const evidencePageAddress = (id: string, sha256: string): string =>
  `/api/v1/cases/${id}/evidence/${sha256}.html`;

/** How what somebody typed is compared with what a machine read; the server decides for itself. */
export const folded = (text: string): string =>
  text.normalize("NFKC").replace(BETWEEN, "").toUpperCase();

/** An amount, or nothing. */
export const twd = (amount: number | null): string =>
  amount === null ? "" : `· TWD ${amount.toLocaleString("en")}`;
