/** What went wrong, in words that help. */

import { Problem } from "./api/client";
import { speech, t } from "./i18n/index.svelte";
import { meaning, textsLoaded } from "./messages.svelte";
import { particular } from "./particulars";

/** By its code; where that is not known, by what kind of refusal it is, with what the server said. */
export function kindly(problem: Problem): string {
  if (problem.status === 0) return t("error.server-unreachable");
  const known = meaning(problem.code);
  if (known !== null) {
    const about = particular(problem.code, problem.data, speech.language);
    return about === null ? known : known + (speech.language === "en" ? " " : "") + about;
  }
  if (problem.status >= 500) return t("error.server");
  return t("error.unknown", { detail: problem.detail || problem.title });
}

/** The same for words that are kept: the texts of codes come when the first is asked for. */
export async function keptWords(problem: Problem): Promise<string> {
  await textsLoaded();
  return kindly(problem);
}

/** Narrows what a `catch` gives; anything but a `Problem` is a bug of ours and goes on up. */
export function problemFrom(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}
