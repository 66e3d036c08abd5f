/** What this domain says, in both languages. The keys of English are the keys there are. */

export const en = {
  "domain.platform": "Platform",
  "platform.what": "What is wrong",
  "platform.subject": "Concerns",
  "platform.device": "Device",
  "platform.since": "Since",
  "platform.explanation": "Found",
  "platform.reason": "Reason",
  "platform.refused": "Refused of it",
  "platform.policy": "Policy that called in vain",
  "platform.alert": "The alert that nobody accepted",
  "platform.remedy": "What to do",
} as const;

export const zhTW: Record<keyof typeof en, string> = {
  "domain.platform": "系統",
  "platform.what": "問題說明",
  "platform.subject": "對象",
  "platform.device": "裝置",
  "platform.since": "開始",
  "platform.explanation": "發現",
  "platform.reason": "原因",
  "platform.refused": "拒收的內容",
  "platform.policy": "未獲回應的通報政策",
  "platform.alert": "無人接手的警報",
  "platform.remedy": "處理方式",
};
