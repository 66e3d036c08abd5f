/** What an alert of each domain says on its page: every `Section.svelte` beside this file. */

import type { Alert } from "../lib/api/model";
import type { AlertSection } from "./descriptor";
import Flood from "./Flood.svelte";
import Plain from "./Plain.svelte";

const found = import.meta.glob<{ default: AlertSection }>("./*/Section.svelte", { eager: true });

/** Many alarms at once look alike in every domain, and what no model fits is shown as it is. */
export function sectionOf({ domain, detail }: Alert): AlertSection {
  if (detail.type === "flood") return Flood;
  if (detail.type === "plain") return Plain;
  return found[`./${domain}/Section.svelte`]?.default ?? Plain;
}
