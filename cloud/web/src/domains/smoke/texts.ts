/** What this domain says, in both languages: one room for each page; the programme has its own. */

import * as alert from "./alert.texts";
import * as fire from "./fire.texts";
import * as home from "./home.texts";

export const en = { ...alert.en, ...fire.en, ...home.en } as const;

export const zhTW: Record<keyof typeof en, string> = {
  ...alert.zhTW,
  ...fire.zhTW,
  ...home.zhTW,
};
