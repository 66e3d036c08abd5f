/** What this domain says, in both languages: one room for each page. */

import * as alert from "./alert.texts";
import * as fire from "./fire.texts";
import * as home from "./home.texts";
import * as programme from "./programme/programme.texts";

export const en = { ...alert.en, ...fire.en, ...home.en, ...programme.en } as const;

export const zhTW: Record<keyof typeof en, string> = {
  ...alert.zhTW,
  ...fire.zhTW,
  ...home.zhTW,
  ...programme.zhTW,
};
