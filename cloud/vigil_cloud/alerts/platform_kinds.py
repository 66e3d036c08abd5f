"""What the platform raises alerts about by itself, and what is to be done about each."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

PlatformKind = Literal[
    "gateway-silent",
    "source-failed",
    "outbox-filling",
    "gateway-disk",
    "cloud-disk",
    "clock-wrong",
    "certificate-ends",
    "certificate-unknown",
    "register-entry-ends",
    "end-untold",
    "revoked-session-open",
    "alarm-refused",
    "quota",
    "channel-failing",
    "device-conflict",
    "job-failing",
    "shelf-ended",
    "out-of-service-long",
    "aside-long",
    "policy-gap",
    "unanswered",
    "domain-unknown",
    "alert-untold",
    "clock-stepped",
    "machine-clock",
    "sensor-fault",
    "incident-failed",
    "detector-anew",
    "detector-behind",
]


class Remedy(NamedTuple):
    """What to do, for whoever maintains the platform."""

    english: str
    chinese: str


REMEDIES: Final[dict[PlatformKind, Remedy]] = {
    "gateway-silent": Remedy(
        "Check the gateway's power and network, then its service: `systemctl status vigil-edge`."
        " Until it speaks again nothing that hangs on it can be heard.",
        "請檢查閘道器的電源與網路，再檢查服務：`systemctl status vigil-edge`。"
        "恢復連線之前，其下所有裝置的訊號都無法送達。",
    ),
    "source-failed": Remedy(
        "Look at the device's error on its page; check its power, cable and address, then restart"
        " the source from the gateway's page.",
        "請查看裝置頁面上的錯誤，檢查電源、線路與位址，再由閘道器頁面重新啟動該來源。",
    ),
    "outbox-filling": Remedy(
        "The gateway stores more than it can send: check its connection to the broker and its"
        " receipts (`vigil-edge outbox status`).",
        "閘道器累積的資料多於能送出的：請檢查與訊息中介的連線及回條"
        "（`vigil-edge outbox status`）。",
    ),
    "gateway-disk": Remedy(
        "Free space on the gateway's disk; when it is full, readings are thinned out.",
        "請清出閘道器的磁碟空間；磁碟滿了之後，量測資料會被抽稀。",
    ),
    "cloud-disk": Remedy(
        "Free space or enlarge the disk of the server now; when it is full, nothing more can be"
        " stored.",
        "請立即清出空間或擴充伺服器磁碟；磁碟滿了之後，任何資料都無法儲存。",
    ),
    "clock-wrong": Remedy(
        "Check time synchronisation on the gateway (`timedatectl`). What it sends is taken with the"
        " time of receipt and marked until then.",
        "請檢查閘道器的時間同步（`timedatectl`）。在修正之前，其資料以收到時間登錄並加註記號。",
    ),
    "certificate-ends": Remedy(
        "Issue a new certificate and install it before this one ends; afterwards no connection is"
        " made any more.",
        "請在到期前簽發並安裝新憑證；到期後將無法再建立連線。",
    ),
    "register-entry-ends": Remedy(
        "Register what follows before the last day: the next certificate of the instrument (have it"
        " verified, compared or calibrated in time), or the limit from then on. What is measured"
        " afterwards is not valid, or held against no limit.",
        "請於到期前登錄後續資料：儀器的新證書（請及時完成檢定、比對或校正），或其後適用的限值。"
        "逾期後的量測結果無效，或無限值可據以判定。",
    ),
    "end-untold": Remedy(
        "These accounts have no channel, or none that works, and whatever is named beside them ends"
        " by itself. Ring them up or write to them; renew what is still wanted, or help them to"
        " allow messages in their browser.",
        "以下帳號沒有可用的通知管道，而所列權限即將自動終止。請以電話或信件告知本人；仍需要者請予"
        "續期，或協助其在瀏覽器中允許通知。",
    ),
    "certificate-unknown": Remedy(
        "It was signed after the backup from which this city was restored, or by another"
        " authority. It cannot be renewed, and a revocation does not reach it: enrol the gateway"
        " anew (`vigil-cloud gateway enrol NAME --replace`).",
        "此憑證簽發於還原所用的備份之後，或由其他機構簽發，無法更新也無法撤銷；請重新登錄該閘道器"
        "（`vigil-cloud gateway enrol NAME --replace`）。",
    ),
    "revoked-session-open": Remedy(
        "Restart the broker: that ends every session, and nobody gets in again with a revoked"
        " certificate. Then let the cloud in (its log says why it was not: an authority, an"
        " address); the gateway's messages may be a stranger's until then.",
        "請重新啟動訊息中介：所有連線會中斷，已撤銷的憑證無法再連線。之後請讓雲端能連上該中介"
        "（原因見雲端紀錄：憑證機構或位址）；在此之前，該閘道器的訊息可能出自他人。",
    ),
    "alarm-refused": Remedy(
        "A message of an alarm could not be read. Look at it among the refused messages, ask at the"
        " place whether there is a fire, and replay it.",
        "一則警報訊息無法判讀。請查看被拒收的訊息，向現場確認是否有火災，再重新處理。",
    ),
    "quota": Remedy(
        "One sender sends more than its share and is held back; look at its devices or revoke it.",
        "某個傳送者超出配額而受限；請檢查其裝置，必要時撤銷。",
    ),
    "channel-failing": Remedy(
        "Nobody hears what goes through this channel: check its address, its password and the"
        " service behind it.",
        "經由此管道的通知無人收到：請檢查其位址、密碼與後方的服務。",
    ),
    "device-conflict": Remedy(
        "Two gateways describe the same device. Rename one, or release the device from the gateway"
        " that no longer has it.",
        "兩台閘道器描述了同一個裝置。請更改其中一個的名稱，或將裝置從已不再擁有它的閘道器釋出。",
    ),
    "job-failing": Remedy(
        "Something that the platform does by itself fails or is not done. Read its error (`GET"
        " /api/v1/jobs`) and the log; check that ingest and the API run. It is tried again by"
        " itself.",
        "平台的背景工作執行失敗或無人執行。請查看其錯誤（`GET /api/v1/jobs`）與日誌，"
        "並確認接收程序與 API 是否運作中。系統會自動重試。",
    ),
    "shelf-ended": Remedy(
        "A device that was put aside calls people again. Look on its page at what it raised"
        " meanwhile, and put it aside anew if the work is not done.",
        "先前暫緩或停用的裝置已恢復通報。請在裝置頁面查看期間的警報；若作業尚未完成，請重新設定。",
    ),
    "out-of-service-long": Remedy(
        "Nobody is called of anything that this device raises. End it on the device's page once"
        " the work is done, or give it an end.",
        "此裝置的任何警報都不會通知任何人。作業完成後請在裝置頁面結束停用，或設定結束時間。",
    ),
    "aside-long": Remedy(
        "Something on which lives hang has been silenced several times in a row. Ask whoever did it"
        " why, and have what is wrong mended; the device's or the alert's page says who and for"
        " how long. Longer than a few days in a row is refused.",
        "攸關人命的裝置或警報已多次連續被暫緩或停用。請詢問處理人員原因並排除問題；"
        "裝置或警報的頁面會顯示由誰設定、為期多久。連續超過數日將被拒絕。",
    ),
    "policy-gap": Remedy(
        "Somebody whom this escalation policy names can be called no longer: an account or a"
        " channel was closed. Change the policy (Administration, Escalation) before an alert needs"
        " it.",
        "此逐級通報規則所列的人員已無法通知：帳號或通知管道已關閉。"
        "請在警報發生前修改規則（管理 → 逐級通報）。",
    ),
    "unanswered": Remedy(
        "Everybody whom the policy of this alert names has been called, and nobody has accepted."
        " Call somebody yourself, and look at the policy: who was called when stands on the"
        " alert's page.",
        "此警報政策所列的人員均已通知，但無人接手。請親自聯絡人員並檢視該政策；"
        "何時通知了誰，請見該警報的頁面。",
    ),
    "domain-unknown": Remedy(
        "The gateway has devices of a kind that this cloud does not know: nothing that they send is"
        " taken, no alarm either. Update the cloud, or take them out of the gateway's file.",
        "閘道器上有本平台不認得的裝置類別：其資料與警報一律無法接收。請更新平台，"
        "或將這些裝置自閘道器設定檔移除。",
    ),
    "alert-untold": Remedy(
        "An alert could not be passed on to anybody. Look at it and call whoever has to know; the"
        " error is in the log. It is tried again by itself.",
        "有一則警報無法轉達給任何人。請查看該警報並直接通知相關人員；錯誤訊息記錄於日誌。"
        "系統會自動重試。",
    ),
    "clock-stepped": Remedy(
        "Check time synchronisation on the server (`timedatectl`). What waited goes on as if the"
        " clock had always shown the new time; what people put aside until a moment ends at that"
        " moment of the new clock: look whether it is still meant. Times of what was written"
        " before the step are those of the old clock.",
        "請檢查伺服器的時間同步（`timedatectl`）。等待中的通知依新時間繼續；人員設定的暫緩或停用"
        "仍於原訂時刻（依新時鐘）結束，請確認是否仍屬適當。調整前的紀錄仍為舊時鐘的時間。",
    ),
    "machine-clock": Remedy(
        "Check time synchronisation on that machine (`timedatectl`). The platform goes by the"
        " database server's clock and waits for nothing of this one, but certificates, web hooks"
        " and the object store do.",
        "請檢查該主機的時間同步（`timedatectl`）。平台以資料庫伺服器的時鐘為準，不受此主機影響，"
        "但憑證、webhook 簽章與物件儲存會受影響。",
    ),
    "sensor-fault": Remedy(
        "What this sensor shows is its own fault and not what it measures: clean, calibrate or"
        " replace it, or look at its cable. It ends by itself once the readings are plausible"
        " again; readings while somebody works on it belong into a maintenance window.",
        "此感測器的讀值屬本身故障，並非量測對象的變化：請清潔、校正或更換，或檢查線路。"
        "讀值恢復合理後會自動解除；維護作業期間請設定維護時段。",
    ),
    "incident-failed": Remedy(
        "People were called, but the event could not be joined to an incident, or nobody looks for"
        " its source. Read the error and the log; close this once the cause is mended.",
        "已通知相關人員，但事件無法併入事故，或無法推算來源。請查看錯誤與日誌，排除後關閉。",
    ),
    "detector-anew": Remedy(
        "What a probe's detector had learnt could not be read (after a release that went back, or"
        " a torn row): it learns again from what is stored, which takes minutes, and ends by"
        " itself. Where it comes again, look at the log (`detector-begun-anew`) and the database.",
        "偵測器先前學到的內容無法讀取（版本退回或資料列損壞）：系統正由已儲存的讀值重新學習，"
        "約需數分鐘，完成後自動解除。若反覆發生，請查看日誌（`detector-begun-anew`）與資料庫。",
    ),
    "detector-behind": Remedy(
        "Events are found late, and bounds on the gateways still call at once: start"
        " another worker, or look what keeps this one busy (`GET /api/v1/jobs`). It ends by"
        " itself once no probe waits for longer than ten minutes.",
        "事件將延後發現；閘道器的界限仍會即時通報。請增加工作程序，"
        "或查看目前佔用的工作（`GET /api/v1/jobs`）。無探頭等待超過十分鐘後自動解除。",
    ),
}

HOME_KINDS: Final[frozenset[str]] = frozenset({"gateway-silent", "source-failed", "alarm-refused"})
"""Told to a home, too: while they stand its alarms may not be heard."""
