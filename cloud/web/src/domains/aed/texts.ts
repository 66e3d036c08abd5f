/** What this domain says, in both languages: one room for each part of its page. */

import * as call from "./call.texts";
import * as register from "./register.texts";
import * as volunteer from "./volunteer.texts";

export const en = { ...call.en, ...register.en, ...volunteer.en } as const;

export const zhTW: Record<keyof typeof en, string> = {
  ...call.zhTW,
  ...register.zhTW,
  ...volunteer.zhTW,
};
