/** What a consent opens, in words. */

import type { Scope } from "./api/model";
import { stamp } from "./format";
import { speech, t } from "./i18n/index.svelte";
import { SCOPES } from "./scopeNames";

export function scopeWords(scopes: readonly Scope[], from: string | null): string {
  return SCOPES.filter((scope) => scopes.includes(scope))
    .map((scope) =>
      scope === "footprint" && from !== null
        ? t("scope.footprintFrom", { time: stamp(from, speech.language) })
        : t(`scope.${scope}`),
    )
    .join(t("scope.and"));
}
