-- A database as release 0.1 (revision 0001) left it, with rows in every table: frozen, never edited.
-- Written by that release's own code (a city with a role for each account, a person with a relative,
-- one alert of each domain, refused messages, evidence, commands), then dumped with sqlite3's .dump.
BEGIN TRANSACTION;
CREATE TABLE account_sessions (
	token_sha256 VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	csrf VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	used DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	CONSTRAINT pk_account_sessions PRIMARY KEY (token_sha256), 
	CONSTRAINT fk_account_sessions_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
INSERT INTO "account_sessions" VALUES('2c3b811f18b0d68b767f9e1f3d75f3b389f5fe544e1fd9882f7ab5ea9c3383e8',5,'kgsxmLoWa3m3c8MXTPFCoUI7GARZOyWh6Gk72O0__y8','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000','2026-03-08 04:00:00.000000');
INSERT INTO "account_sessions" VALUES('260e833d6ce85d30c0cebdbde017c345987297f3a3dd30413c7cffe5dd235fb0',9,'hN4GT_0iiJ6UP_CpVlRbvu6NVfZURWQO1UbSWETCosw','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000','2026-03-08 04:00:00.000000');
CREATE TABLE accounts (
	id INTEGER NOT NULL, 
	username VARCHAR(64) NOT NULL, 
	display_name VARCHAR(120) NOT NULL, 
	email VARCHAR(254) NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	roles JSON NOT NULL, 
	password_hash VARCHAR(255) NOT NULL, 
	active BOOLEAN NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (id), 
	CONSTRAINT uq_accounts_username UNIQUE (username)
);
INSERT INTO "accounts" VALUES(1,'family','family','','en','["family"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(2,'inspector','inspector','','en','["inspector"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(3,'reviewer','reviewer','','en','["reviewer"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(4,'police','police','','en','["police"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(5,'dispatcher','dispatcher','','en','["dispatcher"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(6,'volunteer','volunteer','','en','["volunteer"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(7,'maintainer','maintainer','','en','["maintainer"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(8,'administrator','administrator','','en','["administrator"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
INSERT INTO "accounts" VALUES(9,'daughter','daughter','','en','["family"]','$argon2id$v=19$m=65536,t=3,p=4$DmdNZ0ceBHUL1GTnWXuxYQ$GCZp+Kprbc5D3iFsPKCwuMZYwrtXeZYkSoMmYgHrqTo',1,'2026-03-01 04:00:00.000000');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE alert_history (
	id INTEGER NOT NULL, 
	alert_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	account VARCHAR(64), 
	action VARCHAR(24) NOT NULL, 
	comment VARCHAR(1000) NOT NULL, 
	CONSTRAINT pk_alert_history PRIMARY KEY (id), 
	CONSTRAINT fk_alert_history_alert_id_alerts FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE
);
INSERT INTO "alert_history" VALUES(1,'d32768ba-1806-5919-a446-0c6badbd2ed6','2026-03-01 04:00:00.000000',NULL,'raised','');
INSERT INTO "alert_history" VALUES(2,'9308cb2a-b1ae-52e5-88d5-806c9197ba6e','2026-03-01 04:00:00.000000',NULL,'raised','');
INSERT INTO "alert_history" VALUES(3,'68b8fa33-6b74-5c46-98d5-c1888f010740','2026-03-01 04:00:00.000000',NULL,'raised','');
INSERT INTO "alert_history" VALUES(4,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d','2026-03-01 04:00:00.000000',NULL,'raised','');
INSERT INTO "alert_history" VALUES(5,'27d4cfa6-4a38-535a-9e71-ed044d1b0111','2026-03-01 04:00:00.000000',NULL,'raised','');
INSERT INTO "alert_history" VALUES(6,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d','2026-03-01 04:00:00.000000','dispatcher','acknowledged','on my way');
CREATE TABLE alerts (
	id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(160) NOT NULL, 
	version INTEGER NOT NULL, 
	domain VARCHAR(16) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	title VARCHAR(300) NOT NULL, 
	title_zh VARCHAR(300) NOT NULL, 
	severity VARCHAR(16) NOT NULL, 
	momentary BOOLEAN NOT NULL, 
	active BOOLEAN NOT NULL, 
	acknowledged BOOLEAN NOT NULL, 
	confirmed BOOLEAN NOT NULL, 
	shelved_until DATETIME, 
	out_of_service BOOLEAN NOT NULL, 
	raised DATETIME NOT NULL, 
	event_time DATETIME NOT NULL, 
	cleared DATETIME, 
	acknowledged_by VARCHAR(64), 
	acknowledged_at DATETIME, 
	confirmed_by VARCHAR(64), 
	confirmed_at DATETIME, 
	detail JSON NOT NULL, 
	evidence_sha256 VARCHAR(64), 
	person_key VARCHAR(64), 
	person_name BLOB, 
	latitude FLOAT, 
	longitude FLOAT, 
	CONSTRAINT pk_alerts PRIMARY KEY (id), 
	CONSTRAINT uq_alerts_key UNIQUE ("key")
);
INSERT INTO "alerts" VALUES('d32768ba-1806-5919-a446-0c6badbd2ed6','noise:gw-east:exceedance-1',1,'noise','exceedance','gw-east','mic-1','Loud vehicle 91.2 dB(A)','高噪音車輛 91.2 分貝','major',1,1,0,0,NULL,0,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL,NULL,'{"exceedance_id": "exceedance-1", "phase": "sealed", "started": "2026-03-01T04:00:00Z", "ended": "2026-03-01T04:00:03Z", "threshold_db": 86.0, "LAFmax": 91.24, "LAFmax_time": "2026-03-01T04:00:01Z", "LAE": 95.0, "overload": false, "calibrated": true}',NULL,NULL,NULL,23.48,120.44);
INSERT INTO "alerts" VALUES('9308cb2a-b1ae-52e5-88d5-806c9197ba6e','water:gw-east:excursion-1',1,'water','above','gw-east','sonde-1','Conductivity above 0.25 S/m','導電度高於 0.25 S/m','major',0,1,0,0,NULL,0,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL,NULL,'{"excursion_id": "excursion-1", "phase": "onset", "parameter": "specific_conductance", "unit": "S/m", "kind": "above", "limit": 0.25, "value": 0.31, "flag": 1, "started": "2026-03-01T04:00:00Z"}',NULL,NULL,NULL,23.48,120.44);
INSERT INTO "alerts" VALUES('68b8fa33-6b74-5c46-98d5-c1888f010740','checkin:gw-east:visit-0001',1,'checkin','visit','gw-east','station-1','{person} is at Temple gate','{person} 到了 廟口','info',0,1,0,0,NULL,0,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL,NULL,'{"visit_id": "visit-0001", "phase": "arrived", "carrier": "ble", "arrived": "2026-03-01T04:00:00Z", "last_seen": "2026-03-01T04:00:00Z", "sightings": 2, "rssi_max_dbm": -60.0}',NULL,'p1',X'014FED858359B7580BBC2E9406F0471174F331C76613E72D78960B38A1B362F00137CA715345',23.48,120.44);
INSERT INTO "alerts" VALUES('f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d','smoke:gw-east:alarm-0001',2,'smoke','smoke','gw-east','alarm-1','Smoke alarm at Chen home','陳宅 火災警報','critical',0,1,1,0,NULL,0,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,'dispatcher','2026-03-01 04:00:00.000000',NULL,NULL,'{"alarm_id": "alarm-0001", "condition": "smoke", "active": true, "since": "2026-03-01T04:00:00Z"}',NULL,NULL,NULL,23.48,120.44);
INSERT INTO "alerts" VALUES('27d4cfa6-4a38-535a-9e71-ed044d1b0111','noise:gw-east:exceedance-2',1,'noise','exceedance','gw-east','mic-1','Loud vehicle 91.2 dB(A)','高噪音車輛 91.2 分貝','major',1,1,0,0,NULL,0,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL,NULL,'{"exceedance_id": "exceedance-2", "phase": "sealed", "started": "2026-03-01T04:00:00Z", "ended": "2026-03-01T04:00:03Z", "threshold_db": 86.0, "LAFmax": 91.24, "LAFmax_time": "2026-03-01T04:00:01Z", "LAE": 95.0, "overload": false, "calibrated": true}',NULL,NULL,NULL,23.48,120.44);
CREATE TABLE audit_head (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_head PRIMARY KEY (id)
);
INSERT INTO "audit_head" VALUES(1,15,'a22eccfa45a25caa6933352c3b32d8e40a25fbf17030d5d171f7465d81f7923d');
CREATE TABLE audit_log (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	account VARCHAR(64) NOT NULL, 
	action VARCHAR(40) NOT NULL, 
	person_key VARCHAR(64), 
	subject VARCHAR(128) NOT NULL, 
	detail JSON NOT NULL, 
	previous_hash VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_log PRIMARY KEY (number)
);
INSERT INTO "audit_log" VALUES(1,'2026-03-01 04:00:00.000000','family','account.added',NULL,'family','{}','0000000000000000000000000000000000000000000000000000000000000000','4feebfa226a139ff023a74f963125e36a4eae8a5fda3aade19d9c22fee331c49');
INSERT INTO "audit_log" VALUES(2,'2026-03-01 04:00:00.000000','inspector','account.added',NULL,'inspector','{}','4feebfa226a139ff023a74f963125e36a4eae8a5fda3aade19d9c22fee331c49','5bcba39d9e5fa17209fc40b9755e3da6ef1827c61a8d197eaf557985e5922506');
INSERT INTO "audit_log" VALUES(3,'2026-03-01 04:00:00.000000','reviewer','account.added',NULL,'reviewer','{}','5bcba39d9e5fa17209fc40b9755e3da6ef1827c61a8d197eaf557985e5922506','ac74f48f2cb5c05b3932920a394a3ba69981e75bd8a877684682fd2f65ac08a1');
INSERT INTO "audit_log" VALUES(4,'2026-03-01 04:00:00.000000','police','account.added',NULL,'police','{}','ac74f48f2cb5c05b3932920a394a3ba69981e75bd8a877684682fd2f65ac08a1','10a80e5166261ea7299867558f0272cbb2e28ae2d16c9a82710658fae7846732');
INSERT INTO "audit_log" VALUES(5,'2026-03-01 04:00:00.000000','dispatcher','account.added',NULL,'dispatcher','{}','10a80e5166261ea7299867558f0272cbb2e28ae2d16c9a82710658fae7846732','26637b95711f625091f36292199a6d8912c4e5fa0548ae5c1a321dd903f34704');
INSERT INTO "audit_log" VALUES(6,'2026-03-01 04:00:00.000000','volunteer','account.added',NULL,'volunteer','{}','26637b95711f625091f36292199a6d8912c4e5fa0548ae5c1a321dd903f34704','ce3bcec4f9c80774d2327c83ab2edd290aba9b83f8a700f70f3c48cd556ac9c5');
INSERT INTO "audit_log" VALUES(7,'2026-03-01 04:00:00.000000','maintainer','account.added',NULL,'maintainer','{}','ce3bcec4f9c80774d2327c83ab2edd290aba9b83f8a700f70f3c48cd556ac9c5','044daa40809f39857d6e0277ce0c5b9d0c5f93afe8bd8da4af2ebfcba519809a');
INSERT INTO "audit_log" VALUES(8,'2026-03-01 04:00:00.000000','administrator','account.added',NULL,'administrator','{}','044daa40809f39857d6e0277ce0c5b9d0c5f93afe8bd8da4af2ebfcba519809a','755838b5e2a46ba5e6717d6e5c9c2131917e400048bdbf50852753cf64088986');
INSERT INTO "audit_log" VALUES(9,'2026-03-01 04:00:00.000000','operator','tag.given','p1','ibeacon:0123456789abcdef0123456789abcdef:1:7','{}','755838b5e2a46ba5e6717d6e5c9c2131917e400048bdbf50852753cf64088986','c294f52082e9112c3d2b8b8d101af566620c0877fec4df6238d1400c2710a377');
INSERT INTO "audit_log" VALUES(10,'2026-03-01 04:00:00.000000','daughter','account.added',NULL,'daughter','{}','c294f52082e9112c3d2b8b8d101af566620c0877fec4df6238d1400c2710a377','6c0e501b5aadda55d4f7d6a55c7a5834360fd22b7a0fcc113acb6fbaa61c86f1');
INSERT INTO "audit_log" VALUES(11,'2026-03-01 04:00:00.000000','guardian','consent.granted','p1','daughter','{}','6c0e501b5aadda55d4f7d6a55c7a5834360fd22b7a0fcc113acb6fbaa61c86f1','ae841a19c6e89bd65441749313ffae83ba52c06210a763c9c2a65b6f6326ae02');
INSERT INTO "audit_log" VALUES(12,'2026-03-01 04:00:00.000000','dispatcher','session.begun',NULL,'dispatcher','{}','ae841a19c6e89bd65441749313ffae83ba52c06210a763c9c2a65b6f6326ae02','d0cb6fdbb8bb6389e3160ac26bdbf3e3af76f9a968bfeabcdb1f7221db252431');
INSERT INTO "audit_log" VALUES(13,'2026-03-01 04:00:00.000000','dispatcher','alert.acknowledged',NULL,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d','{}','d0cb6fdbb8bb6389e3160ac26bdbf3e3af76f9a968bfeabcdb1f7221db252431','416addde1438c4a6b7a8d1417beb51ac816bf5ee951f9e714be9249c8332bdbc');
INSERT INTO "audit_log" VALUES(14,'2026-03-01 04:00:00.000000','daughter','session.begun',NULL,'daughter','{}','416addde1438c4a6b7a8d1417beb51ac816bf5ee951f9e714be9249c8332bdbc','a9a2ce0bc2508eb2c06d51acf1ac3ad6a24623103429b22212ab516ae9bf4fcb');
INSERT INTO "audit_log" VALUES(15,'2026-03-01 04:00:00.000000','daughter','location.read','p1','footprints','{"start": "2026-02-28T04:00:00+00:00", "stop": "2026-03-01T04:00:00+00:00"}','a9a2ce0bc2508eb2c06d51acf1ac3ad6a24623103429b22212ab516ae9bf4fcb','a22eccfa45a25caa6933352c3b32d8e40a25fbf17030d5d171f7465d81f7923d');
CREATE TABLE channels (
	id INTEGER NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	url BLOB NOT NULL, 
	account_id INTEGER, 
	role VARCHAR(16), 
	domains JSON NOT NULL, 
	minimum VARCHAR(16) NOT NULL, 
	escalate_after_s FLOAT NOT NULL, 
	language VARCHAR(8) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	CONSTRAINT pk_channels PRIMARY KEY (id), 
	CONSTRAINT ck_channels_one_owner CHECK ((account_id IS NULL) <> (role IS NULL)), 
	CONSTRAINT fk_channels_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, 
	CONSTRAINT uq_channels_name UNIQUE (name)
);
INSERT INTO "channels" VALUES(1,'fire desk',X'01D85997989E781E12685A31FA77BB13C39401F333E8B68328ED97A91A7FF05815AA21F95089844D6476173E5265E0D04127C4A020EA2C962A92F43A32808E7C2D23',NULL,'dispatcher','[]','info',0.0,'zh-TW',1);
INSERT INTO "channels" VALUES(2,'later',X'0123C99EC666D1F76CEBBC9AB0F0E0C9ED9FD78614221A46A4BDA63A6C4314D4C4B2FFBAF0897566185E3B3B2CB50F6606524198CD',NULL,'dispatcher','[]','info',300.0,'zh-TW',1);
INSERT INTO "channels" VALUES(3,'daughter',X'01D0FDB665AEE2D601601440BA2BD77AFBCDEFD9A426558A0EB7530FEF06F49CDF3104D86D95472C916768514F5B11343E',9,NULL,'[]','info',0.0,'zh-TW',1);
CREATE TABLE consents (
	id INTEGER NOT NULL, 
	person_key VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	granted_by VARCHAR(64) NOT NULL, 
	granted DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	revoked DATETIME, 
	CONSTRAINT pk_consents PRIMARY KEY (id), 
	CONSTRAINT fk_consents_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
INSERT INTO "consents" VALUES(1,'p1',9,'guardian','2026-03-01 04:00:00.000000','2026-03-31 04:00:00.000000',NULL);
CREATE TABLE dead_letters (
	id INTEGER NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	topic VARCHAR(512) NOT NULL, 
	reason VARCHAR(40) NOT NULL, 
	detail TEXT NOT NULL, 
	payload BLOB NOT NULL, 
	size BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	first_received DATETIME NOT NULL, 
	last_received DATETIME NOT NULL, 
	count BIGINT NOT NULL, 
	CONSTRAINT pk_dead_letters PRIMARY KEY (id), 
	CONSTRAINT uq_dead_letters_topic UNIQUE (topic, digest)
);
INSERT INTO "dead_letters" VALUES(1,'gw-east','vigil/v1/gw-east/alarm','wrong-schema','id: Field required',X'7B227370656376657273696F6E223A22312E30222C22736D6F6B65223A747275657D',34,'96b86c8a103b2d2e46565ea36268673adb1511859ef7e5865180f19823211c6c','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',1);
INSERT INTO "dead_letters" VALUES(2,'gw-east','vigil/v1/gw-east/event','malformed-json','message: Invalid JSON: expected value at line 1 column 1',X'72756262697368',7,'71ca7d932e5a9bea82b11425bc83d474727bb94ecde72145e063f8b23b176ea3','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',1);
CREATE TABLE deliveries (
	id INTEGER NOT NULL, 
	alert_id VARCHAR(36) NOT NULL, 
	channel_id INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	due DATETIME NOT NULL, 
	escalation BOOLEAN NOT NULL, 
	at DATETIME, 
	error VARCHAR(300), 
	CONSTRAINT pk_deliveries PRIMARY KEY (id), 
	CONSTRAINT fk_deliveries_alert_id_alerts FOREIGN KEY(alert_id) REFERENCES alerts (id) ON DELETE CASCADE, 
	CONSTRAINT fk_deliveries_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id) ON DELETE CASCADE, 
	CONSTRAINT uq_deliveries_alert_id UNIQUE (alert_id, channel_id)
);
INSERT INTO "deliveries" VALUES(1,'68b8fa33-6b74-5c46-98d5-c1888f010740',3,'sent',1,'2026-03-01 04:00:00.000000',0,'2026-03-01 04:00:00.000000',NULL);
INSERT INTO "deliveries" VALUES(2,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d',1,'waiting',2,'2026-03-01 04:00:00.000000',0,'2026-03-01 04:00:00.000000',NULL);
INSERT INTO "deliveries" VALUES(3,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d',2,'failed',3,'2026-03-01 04:05:00.000000',1,'2026-03-01 04:00:00.000000','gone');
CREATE TABLE devices (
	device VARCHAR(64) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	domain VARCHAR(16) NOT NULL, 
	driver VARCHAR(40) NOT NULL, 
	name VARCHAR(120) NOT NULL, 
	name_zh VARCHAR(120) NOT NULL, 
	latitude FLOAT, 
	longitude FLOAT, 
	parameters JSON NOT NULL, 
	units JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	code VARCHAR(60), 
	message VARCHAR(400), 
	since DATETIME, 
	last_seen DATETIME, 
	described BOOLEAN NOT NULL, 
	claimed BOOLEAN NOT NULL, 
	updated DATETIME NOT NULL, 
	CONSTRAINT pk_devices PRIMARY KEY (device)
);
INSERT INTO "devices" VALUES('alarm-1','gw-east','smoke','test','Chen home','陳宅',23.48,120.44,'[]','{}','unknown',NULL,NULL,NULL,NULL,1,1,'2026-03-01 04:00:00.000000');
INSERT INTO "devices" VALUES('mic-1','gw-east','noise','test','Zhongshan Road','中山路',23.48,120.44,'[]','{}','ok',NULL,NULL,'2026-03-01 04:00:00.000000',NULL,1,1,'2026-03-01 04:00:00.000000');
INSERT INTO "devices" VALUES('sonde-1','gw-east','water','test','Canal','道將圳',23.48,120.44,'[]','{"temperature": "Cel", "specific_conductance": "S/m", "pH": "pH", "dissolved_oxygen": "kg/m3", "orp": "mV", "level": "m"}','unknown',NULL,NULL,NULL,'2026-03-01 04:00:00.000000',1,1,'2026-03-01 04:00:00.000000');
INSERT INTO "devices" VALUES('station-1','gw-east','checkin','test','Temple gate','廟口',23.48,120.44,'[]','{}','unknown',NULL,NULL,NULL,NULL,1,1,'2026-03-01 04:00:00.000000');
INSERT INTO "devices" VALUES('station-2','gw-east','checkin','test','Market','市場',23.48,120.44,'[]','{}','unknown',NULL,NULL,NULL,NULL,1,1,'2026-03-01 04:00:00.000000');
CREATE TABLE downlinks (
	id VARCHAR(64) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	channel VARCHAR(16) NOT NULL, 
	payload JSON NOT NULL, 
	account VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	sent DATETIME, 
	answered DATETIME, 
	accepted BOOLEAN, 
	code VARCHAR(60), 
	message VARCHAR(400), 
	CONSTRAINT pk_downlinks PRIMARY KEY (id)
);
INSERT INTO "downlinks" VALUES('cmd-1','gw-east','command','{"command_id": "cmd-1", "action": "resend_birth"}','maintainer','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL);
INSERT INTO "downlinks" VALUES('config-3-abc','gw-east','config','{"revision": 3, "changes": {}}','maintainer','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,NULL,NULL,NULL);
CREATE TABLE evidence (
	sha256 VARCHAR(64) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	evidence_id VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME NOT NULL, 
	sealed DATETIME NOT NULL, 
	stored DATETIME NOT NULL, 
	object_name VARCHAR(200) NOT NULL, 
	manifest JSON NOT NULL, 
	CONSTRAINT pk_evidence PRIMARY KEY (sha256)
);
INSERT INTO "evidence" VALUES('9d59a463b844473a027cf17a0a760ac780a202bbae3b6bfa72494b865534a2ff','gw-east','mic-1','exceedance-1',756,'2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000','evidence/gw-east/9d59a463b844473a027cf17a0a760ac780a202bbae3b6bfa72494b865534a2ff.zip','{"version": 1, "evidence_id": "exceedance-1", "gateway": "gw-east", "device": "mic-1", "sealed": "2026-03-01T04:00:00Z", "started": "2026-03-01T04:00:00Z", "ended": "2026-03-01T04:00:00Z", "calibration": {}, "files": [{"name": "sound.wav", "role": "audio", "media_type": "audio/wav", "sha256": "a40ff3d5900fb7698b8c865041347cb49eccedc8f93945f89629ad104aaecce4", "size": 4}]}');
CREATE TABLE feed (
	number INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"key" VARCHAR(130) NOT NULL, 
	CONSTRAINT pk_feed PRIMARY KEY (number)
);
INSERT INTO "feed" VALUES(1,'2026-03-01 04:00:00.000000','alert','d32768ba-1806-5919-a446-0c6badbd2ed6');
INSERT INTO "feed" VALUES(2,'2026-03-01 04:00:00.000000','alert','9308cb2a-b1ae-52e5-88d5-806c9197ba6e');
INSERT INTO "feed" VALUES(3,'2026-03-01 04:00:00.000000','visit','gw-east:visit-0001');
INSERT INTO "feed" VALUES(4,'2026-03-01 04:00:00.000000','alert','68b8fa33-6b74-5c46-98d5-c1888f010740');
INSERT INTO "feed" VALUES(5,'2026-03-01 04:00:00.000000','alert','f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d');
INSERT INTO "feed" VALUES(6,'2026-03-01 04:00:00.000000','alert','27d4cfa6-4a38-535a-9e71-ed044d1b0111');
INSERT INTO "feed" VALUES(7,'2026-03-01 04:00:00.000000','alert','f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d');
CREATE TABLE feed_head (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	CONSTRAINT pk_feed_head PRIMARY KEY (id)
);
INSERT INTO "feed_head" VALUES(1,7);
CREATE TABLE gateway_tokens (
	gateway VARCHAR(63) NOT NULL, 
	token_sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_gateway_tokens PRIMARY KEY (gateway)
);
INSERT INTO "gateway_tokens" VALUES('gw-east','6584f9165cea2575c60f8bb3c927a6d22bfd33d8685e225a7506e955064b60d9','2026-03-01 04:00:00.000000');
CREATE TABLE gateways (
	gateway VARCHAR(63) NOT NULL, 
	added DATETIME NOT NULL, 
	connected BOOLEAN NOT NULL, 
	offline BOOLEAN NOT NULL, 
	session BIGINT, 
	born DATETIME, 
	epoch VARCHAR(16), 
	software VARCHAR(80) NOT NULL, 
	public_key VARCHAR(64), 
	last_seen DATETIME, 
	health JSON, 
	health_time DATETIME, 
	lost BIGINT NOT NULL, 
	conflicts JSON NOT NULL, 
	updated DATETIME NOT NULL, 
	CONSTRAINT pk_gateways PRIMARY KEY (gateway)
);
INSERT INTO "gateways" VALUES('gw-east','2026-03-01 04:00:00.000000',1,0,1,'2026-03-01 04:00:00.000000','00000000','test','8320a51977d8c38ca8a4927c670df5821e449761945e15e9efb26a1509d230ea','2026-03-01 04:00:00.000000',NULL,NULL,0,'[]','2026-03-01 04:00:00.000000');
CREATE TABLE guardians (
	id INTEGER NOT NULL, 
	person_key VARCHAR(64) NOT NULL, 
	account_id INTEGER NOT NULL, 
	CONSTRAINT pk_guardians PRIMARY KEY (id), 
	CONSTRAINT fk_guardians_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, 
	CONSTRAINT uq_guardians_person_key UNIQUE (person_key, account_id)
);
INSERT INTO "guardians" VALUES(1,'p1',1);
CREATE TABLE login_attempts (
	"key" VARCHAR(64) NOT NULL, 
	failures INTEGER NOT NULL, 
	window_started DATETIME NOT NULL, 
	CONSTRAINT pk_login_attempts PRIMARY KEY ("key")
);
INSERT INTO "login_attempts" VALUES('e02dcdf572e2d6ca908a843663292910534f64f94666529fda3ae9eb6650d33b',1,'2026-03-01 04:00:00.000000');
INSERT INTO "login_attempts" VALUES('fd3fb1148faacb1db73ce240eb65dc2f042b2627488495eea9b60f8423852dfa',1,'2026-03-01 04:00:00.000000');
CREATE TABLE noise_exceedances (
	id VARCHAR(130) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME NOT NULL, 
	threshold_db FLOAT NOT NULL, 
	"LAFmax" FLOAT NOT NULL, 
	"LAE" FLOAT NOT NULL, 
	background_db FLOAT, 
	overload BOOLEAN NOT NULL, 
	calibrated BOOLEAN NOT NULL, 
	evidence_sha256 VARCHAR(64), 
	alert_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_noise_exceedances PRIMARY KEY (id)
);
INSERT INTO "noise_exceedances" VALUES('gw-east:exceedance-1','gw-east','mic-1','2026-03-01 04:00:00.000000','2026-03-01 04:00:03.000000',86.0,91.24,95.0,NULL,0,1,NULL,'d32768ba-1806-5919-a446-0c6badbd2ed6');
INSERT INTO "noise_exceedances" VALUES('gw-east:exceedance-2','gw-east','mic-1','2026-03-01 04:00:00.000000','2026-03-01 04:00:03.000000',86.0,91.24,95.0,NULL,0,1,NULL,'27d4cfa6-4a38-535a-9e71-ed044d1b0111');
CREATE TABLE persons (
	"key" VARCHAR(64) NOT NULL, 
	name BLOB NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_persons PRIMARY KEY ("key")
);
INSERT INTO "persons" VALUES('p1',X'014FED858359B7580BBC2E9406F0471174F331C76613E72D78960B38A1B362F00137CA715345','2026-03-01 04:00:00.000000');
CREATE TABLE smoke_conditions (
	id VARCHAR(130) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	condition VARCHAR(20) NOT NULL, 
	activated DATETIME, 
	cleared DATETIME, 
	battery_percent FLOAT, 
	alert_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_smoke_conditions PRIMARY KEY (id)
);
INSERT INTO "smoke_conditions" VALUES('gw-east:alarm-0001','gw-east','alarm-1','smoke','2026-03-01 04:00:00.000000',NULL,NULL,'f7c30b17-4e2b-57a0-bb67-e7d1ed1e622d');
CREATE TABLE tags (
	tag VARCHAR(140) NOT NULL, 
	person_key VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (tag), 
	CONSTRAINT fk_tags_person_key_persons FOREIGN KEY(person_key) REFERENCES persons ("key") ON DELETE CASCADE
);
INSERT INTO "tags" VALUES('ibeacon:0123456789abcdef0123456789abcdef:1:7','p1');
CREATE TABLE taken_events (
	gateway VARCHAR(63) NOT NULL, 
	event_id VARCHAR(64) NOT NULL, 
	taken DATETIME NOT NULL, 
	CONSTRAINT pk_taken_events PRIMARY KEY (gateway, event_id)
);
INSERT INTO "taken_events" VALUES('gw-east','51c8a02124fc445ba65661e8f33d58b3','2026-03-01 04:00:00.000000');
CREATE TABLE visits (
	id VARCHAR(130) NOT NULL, 
	tag VARCHAR(140) NOT NULL, 
	person_key VARCHAR(64), 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	carrier VARCHAR(8) NOT NULL, 
	arrived DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	departed DATETIME, 
	sightings INTEGER NOT NULL, 
	rssi_max_dbm DOUBLE, 
	CONSTRAINT pk_visits PRIMARY KEY (id)
);
INSERT INTO "visits" VALUES('gw-east:visit-0001','ibeacon:0123456789abcdef0123456789abcdef:1:7','p1','gw-east','station-1','ble','2026-03-01 04:00:00.000000','2026-03-01 04:00:00.000000',NULL,2,-60.0);
CREATE TABLE water_excursions (
	id VARCHAR(130) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	device VARCHAR(64) NOT NULL, 
	parameter VARCHAR(48) NOT NULL, 
	unit VARCHAR(8), 
	kind VARCHAR(8) NOT NULL, 
	"limit" FLOAT NOT NULL, 
	onset_value FLOAT, 
	extreme_value FLOAT, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	alert_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_water_excursions PRIMARY KEY (id)
);
INSERT INTO "water_excursions" VALUES('gw-east:excursion-1','gw-east','sonde-1','specific_conductance','S/m','above',0.25,0.31,NULL,'2026-03-01 04:00:00.000000',NULL,'9308cb2a-b1ae-52e5-88d5-806c9197ba6e');
CREATE TABLE watermarks (
	source VARCHAR(160) NOT NULL, 
	gateway VARCHAR(63) NOT NULL, 
	stored BIGINT NOT NULL, 
	beyond JSON NOT NULL, 
	refused BIGINT NOT NULL, 
	updated DATETIME NOT NULL, 
	CONSTRAINT pk_watermarks PRIMARY KEY (source)
);
INSERT INTO "watermarks" VALUES('/gw-east/event/abcdef01','gw-east',1,'[]',0,'2026-03-01 04:00:00.000000');
INSERT INTO "watermarks" VALUES('/gw-east/observation/abcdef01','gw-east',1,'[[4, 4]]',0,'2026-03-01 04:00:00.000000');
CREATE INDEX ix_alerts_device ON alerts (device);
CREATE INDEX ix_alerts_domain ON alerts (domain);
CREATE INDEX ix_alerts_evidence_sha256 ON alerts (evidence_sha256);
CREATE INDEX ix_alerts_order ON alerts (raised, id);
CREATE INDEX ix_alerts_person_key ON alerts (person_key);
CREATE INDEX ix_audit_log_account ON audit_log (account);
CREATE INDEX ix_audit_log_person_key ON audit_log (person_key);
CREATE INDEX ix_dead_letters_gateway_last_received ON dead_letters (gateway, last_received);
CREATE INDEX ix_dead_letters_last_received ON dead_letters (last_received);
CREATE INDEX ix_devices_domain ON devices (domain);
CREATE INDEX ix_devices_gateway_device ON devices (gateway, device);
CREATE INDEX ix_devices_updated ON devices (updated);
CREATE INDEX ix_downlinks_gateway ON downlinks (gateway);
CREATE INDEX ix_downlinks_sent_created ON downlinks (sent, created);
CREATE INDEX ix_evidence_evidence_id ON evidence (evidence_id);
CREATE INDEX ix_evidence_gateway ON evidence (gateway);
CREATE INDEX ix_feed_at ON feed (at);
CREATE INDEX ix_gateways_updated ON gateways (updated);
CREATE INDEX ix_login_attempts_window_started ON login_attempts (window_started);
CREATE INDEX ix_noise_exceedances_device ON noise_exceedances (device);
CREATE INDEX ix_noise_exceedances_started ON noise_exceedances (started);
CREATE INDEX ix_smoke_conditions_activated ON smoke_conditions (activated);
CREATE INDEX ix_smoke_conditions_device ON smoke_conditions (device);
CREATE INDEX ix_taken_events_taken ON taken_events (taken);
CREATE INDEX ix_visits_footprint ON visits (person_key, arrived);
CREATE INDEX ix_visits_tag ON visits (tag);
CREATE INDEX ix_water_excursions_device ON water_excursions (device);
CREATE INDEX ix_water_excursions_started ON water_excursions (started);
CREATE INDEX ix_watermarks_gateway ON watermarks (gateway);
CREATE INDEX ix_account_sessions_expires ON account_sessions (expires);
CREATE INDEX ix_alert_history_alert_id ON alert_history (alert_id);
CREATE INDEX ix_consents_account_id ON consents (account_id);
CREATE INDEX ix_consents_person_key ON consents (person_key);
CREATE INDEX ix_guardians_account_id ON guardians (account_id);
CREATE INDEX ix_guardians_person_key ON guardians (person_key);
CREATE INDEX ix_tags_person_key ON tags (person_key);
CREATE INDEX ix_deliveries_alert_id ON deliveries (alert_id);
CREATE INDEX ix_deliveries_due ON deliveries (state, due);
COMMIT;
