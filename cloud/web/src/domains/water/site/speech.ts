/** The texts of these pages, and those of their domain. */

import { dictionary } from "../../../lib/i18n/index.svelte";
import { en, zhTW } from "../texts";
import * as own from "./texts";

export const { t, word } = dictionary({ ...en, ...own.en }, { ...zhTW, ...own.zhTW });
