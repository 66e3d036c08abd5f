/** The words of administration and homes, and those that all pages share. */

import { dictionary } from "../lib/i18n/index.svelte";
import * as policies from "./policies.texts";
import { en, zhTW } from "./texts";

export const { t, word } = dictionary({ ...en, ...policies.en }, { ...zhTW, ...policies.zhTW });
