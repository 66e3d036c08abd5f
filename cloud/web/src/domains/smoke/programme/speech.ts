/** The texts of the programme, which come with its pages, and those of its domain. */

import { dictionary } from "../../../lib/i18n/index.svelte";
import { en, zhTW } from "../texts";
import * as own from "./programme.texts";

export const { t, word } = dictionary({ ...en, ...own.en }, { ...zhTW, ...own.zhTW });
