/** A home's particulars as they are edited: plain rows, whatever the API leaves out. */

import type { components } from "../../lib/api/schema";

type Known = components["schemas"]["HomeSafetyEntry"];
type Body = components["schemas"]["HomeSafetyBody"];

export interface Draft {
  floor: string;
  keys: string;
  helps: { name: string; need: string }[];
  contacts: { name: string; phone: string }[];
  window_s: number;
}

/** What the API takes. */
export const MOST = { helps: 20, contacts: 10 } as const;
/** The API's rule for telephone numbers, as a pattern of HTML. */
export const PHONE = "[0-9+#*\\(\\)\\- ]+";

export function draftOf({ particulars, window_s }: Known): Draft {
  return {
    floor: particulars.floor ?? "",
    keys: particulars.keys ?? "",
    helps: (particulars.needs_help ?? []).map(({ name, need = "" }) => ({ name, need })),
    contacts: (particulars.contacts ?? []).map(({ name, phone }) => ({ name, phone })),
    window_s,
  };
}

/** Every row of it: what is incomplete is for the form to refuse, never to drop. */
export const bodyOf = ({ floor, keys, helps, contacts, window_s }: Draft): Body => ({
  window_s,
  particulars: {
    floor: floor.trim(),
    keys: keys.trim(),
    needs_help: helps.map(({ name, need }) => ({ name: name.trim(), need: need.trim() })),
    contacts: contacts.map(({ name, phone }) => ({ name: name.trim(), phone: phone.trim() })),
  },
});
