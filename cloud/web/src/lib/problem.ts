/** What went wrong, in words that help. */

import { Problem } from "./api/client";
import { t } from "./i18n/index.svelte";

export function kindly(problem: Problem): string {
  if (problem.status === 0) return t("error.server-unreachable");
  if (problem.status === 403) return t("error.forbidden");
  if (problem.status === 404) return t("error.not-found");
  if (problem.status === 409) return t("error.conflict");
  if (problem.status === 429) return t("error.rate-limited");
  if (problem.status >= 500) return t("error.server");
  return t("error.other", { detail: problem.detail || problem.title });
}

/** Narrows what a `catch` gives; anything but a `Problem` is a bug of ours and goes on up. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}
