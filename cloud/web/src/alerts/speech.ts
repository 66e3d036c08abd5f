/** The words of lists of alerts, and those that all pages share. */

import { dictionary } from "../lib/i18n/index.svelte";
import { en, zhTW } from "./texts";

export const { t } = dictionary(en, zhTW);
