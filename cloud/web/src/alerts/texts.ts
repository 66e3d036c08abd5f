/** What is said of a row, of several alerts at once, and of the way to the next, in both languages. */

export const en = {
  "choice.pick": "Choose: {title}",
  "choice.count": "{count} chosen",
  "choice.clear": "Clear choice",
  "choice.all": "Choose all",
  "choice.keys": "On a row: x chooses, Shift+x up to there, Esc clears, j and k move.",
  "choice.none": "There is nothing that can be done to all of them.",
  "choice.done.acknowledge": "{done} of {all} acknowledged.",
  "choice.done.confirm": "{done} of {all} confirmed.",
  "choice.done.shelve": "{done} of {all} shelved.",
  "choice.done.unshelve": "Shelving ended of {done} of {all}.",
  "choice.refused": "Not done:",
  "row.picture": "Coarse picture",
  "trail.label": "Alerts of the list",
  "trail.before": "Previous alert (k)",
  "trail.after": "Next alert (j)",
  "trail.place": "{place} of {all}",
} as const;

export const zhTW: Record<keyof typeof en, string> = {
  "choice.pick": "選取：{title}",
  "choice.count": "已選 {count} 件",
  "choice.clear": "取消選取",
  "choice.all": "選取顯示的全部",
  "choice.keys": "在列上按 x 選取，Shift+x 選到該列，Esc 取消，j、k 移動。",
  "choice.none": "沒有可以對全部一起做的動作。",
  "choice.done.acknowledge": "{all} 件中已受理 {done} 件。",
  "choice.done.confirm": "{all} 件中已確認 {done} 件。",
  "choice.done.shelve": "{all} 件中已暫緩 {done} 件。",
  "choice.done.unshelve": "{all} 件中已結束暫緩 {done} 件。",
  "choice.refused": "未完成：",
  "row.picture": "粗略畫面",
  "trail.label": "清單中的警報",
  "trail.before": "上一則警報（k）",
  "trail.after": "下一則警報（j）",
  "trail.place": "第 {place} 則，共 {all} 則",
};
