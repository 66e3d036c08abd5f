/** What this domain says, in both languages. The keys of English are the keys there are. */

export const en = {
  "domain.noise": "Noise",
  "noise.curve": "Level during the passage",
  "noise.curveHint": "A-weighted, Fast, dB re 20 µPa",
  "noise.LAFmax": "Maximum level LAFmax",
  "noise.LAE": "Sound exposure level LAE",
  "noise.threshold": "Threshold",
  "noise.background": "Background (LAF90)",
  "noise.duration": "Above the threshold for",
  "noise.time":
    "The clock was wrong: the times are those of receipt, and no fine may rest on this.",
  "noise.overload":
    "The microphone was overloaded: the level is a lower bound, and no fine may rest on it.",
  "noise.uncalibrated": "This microphone has not been calibrated: the level is no evidence.",
  "noise.plate": "Licence plate",
  "noise.seconds": "seconds",
  "param.LAeq": "Equivalent level LAeq",
  "param.LAFmax": "Maximum level LAFmax",
  "param.LCeq": "Equivalent level LCeq",
  "param.LZeq": "Equivalent level LZeq",
} as const;

export const zhTW: Record<keyof typeof en, string> = {
  "domain.noise": "噪音",
  "noise.curve": "通過時的聲級",
  "noise.curveHint": "A 加權、快速時間加權，dB（基準 20 µPa）",
  "noise.LAFmax": "最大聲級 LAFmax",
  "noise.LAE": "聲曝級 LAE",
  "noise.threshold": "門檻值",
  "noise.background": "背景聲級（LAF90）",
  "noise.duration": "超過門檻時間",
  "noise.time": "時鐘有誤：所示為收到時間，不得據以裁罰。",
  "noise.overload": "麥克風過載：聲級僅為下限，不得據以裁罰。",
  "noise.uncalibrated": "麥克風尚未校正：聲級不具證據力。",
  "noise.plate": "車牌",
  "noise.seconds": "秒",
  "param.LAeq": "均能聲級 LAeq",
  "param.LAFmax": "最大聲級 LAFmax",
  "param.LCeq": "均能聲級 LCeq",
  "param.LZeq": "均能聲級 LZeq",
};
