/** What an alert of each domain says on its page: every `Section.svelte` beside this file. */

import type { AlertDomain } from "../lib/api/model";
import type { AlertSection } from "./descriptor";
import Plain from "./Plain.svelte";

const found = import.meta.glob<{ default: AlertSection }>("./*/Section.svelte", { eager: true });

export const sectionOf = (domain: AlertDomain): AlertSection =>
  found[`./${domain}/Section.svelte`]?.default ?? Plain;
