"""A gateway of Vigil for MicroPython, with its standard libraries alone; CPython runs it, too.

    python3 gateway.py HOST PORT GATEWAY STATE_FILE [USER PASSWORD]

Standard input: "reading 12.5", "alarm on", "alarm off", a line each; at its end the program waits
for the last receipt, says goodbye and ends. ``GATEWAY_CLOCK=kept`` says that something keeps this
machine's clock. On a board call ``Gateway.clock_was_set`` after each ``ntptime.settime()``: a clock
that nobody speaks for is called unsynchronised. Call ``Gateway.tell_reading`` and
``Gateway.tell_alarm`` from your own loop and ``Gateway.step`` in between. What the contract asks
is in docs/firmware.md. A message is on the disk before it is sent, and leaves it with its receipt.
"""

import binascii
import json
import os
import select
import socket
import struct
import sys
import time

LANES = ("alarm", "event", "observation")
PROBE, SMOKE = "probe-1", "alarm-1"
KEPT, FOR_READINGS = 64, 48
"""Messages that wait for a receipt, and how many of these may be readings."""
DONE = 16
KEEPALIVE_S, FIRST_S, LAST_S = 20, 5, 60
SET_FOR_S = 7200
"""So long a clock that was set is as good as then: 50 ppm of a plain crystal are 0.4 s."""
LARGEST = 16384
"""Of what comes down; more is read over."""
SINCE_1970 = 946684800 if time.gmtime(0)[0] == 2000 else 0
"""Some ports count seconds from 2000."""


_ticks = [0, 0]


def seconds():
    """From any beginning, for pauses: not moved when the clock is set, as on a board at its first
    contact with a time server."""
    if hasattr(time, "monotonic"):
        return time.monotonic()
    now = time.ticks_ms()  # begins again after some days
    _ticks[0], _ticks[1] = now, _ticks[1] + time.ticks_diff(now, _ticks[0])
    return _ticks[1] // 1000


def drawn(size):
    return binascii.hexlify(os.urandom(size)).decode()


def milliseconds():
    """By the wall clock; ports whose ``time.time`` has whole seconds have ``time_ns``."""
    if hasattr(time, "time_ns"):
        return time.time_ns() // 1_000_000
    return int(time.time() * 1000)


def unix_time():
    now = milliseconds()  # put together as text: a board's float has seven digits
    return "{}.{:03d}".format(now // 1000 + SINCE_1970, now % 1000)


def time_text():
    now = milliseconds()
    parts = time.gmtime(now // 1000)[:6]
    return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}.{:03d}Z".format(*parts, now % 1000)


def said(text):
    sys.stderr.write("gateway: " + text + "\n")


class Store:
    """Epoch, numbers and unreceipted messages, on the disk after each change."""

    def __init__(self, name):
        self.name = name
        try:
            with open(name) as file:
                self.state = json.load(file)
        except (OSError, ValueError):  # not there or not whole: a new epoch, and new numbers
            self.state = {
                "epoch": drawn(8),
                "session": 0,
                "next": dict.fromkeys(LANES, 1),
                "kept": [],
                "alarm": "",
                "done": [],
            }
            self.save()
        self.state.setdefault("owed", None)

    def save(self):
        """A new file in place of the old one: a number that was sent is never forgotten."""
        with open(self.name + ".new", "w") as file:
            json.dump(self.state, file)
            file.flush()
            if hasattr(os, "fsync"):
                os.fsync(file.fileno())
        os.rename(self.name + ".new", self.name)
        if hasattr(os, "fsync"):
            folder = os.open(self.name.rpartition("/")[0] or ".", os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        elif hasattr(os, "sync"):
            os.sync()


class Gateway:
    def __init__(self, host, port, name, store, user=None, word=None):
        self.host, self.port, self.name, self.store = host, port, name, store
        self.user, self.word = user, word
        self.socket = None
        self.poll = None
        self.incoming = b""
        self.skip = 0
        self.packet_id = 0
        self.started = time_text()
        self.last_sent = self.last_heard = self.retry_at = seconds()
        self.pause = 1
        self.patience, self.resend_at = FIRST_S, None
        self.ready = False
        """Subscribed and born: messages may go out."""
        self.subscribing = 0
        self.clock_set_at = None
        self.clock_kept = getattr(os, "getenv", lambda _name: None)("GATEWAY_CLOCK") == "kept"

    # -- the clock -------------------------------------------------------------------------------

    def clock_was_set(self):
        """By a time server, just now."""
        self.clock_set_at = seconds()

    def clock_quality(self):
        """What is known, and no more."""
        if self.clock_kept:
            return "synchronised"
        if self.clock_set_at is None:
            return "unsynchronised"
        return "synchronised" if seconds() - self.clock_set_at <= SET_FOR_S else "holdover"

    # -- what is told ----------------------------------------------------------------------------

    def tell_reading(self, value):
        record = {"bn": "urn:vigil:" + PROBE + ":", "n": "temperature"}
        record.update({"u": "Cel", "v": value, "qf": 1})
        data = json.dumps([record]).replace("{", '{"bt": ' + unix_time() + ", ", 1)
        return self.tell("observation", "city.vigil.water.observation.v1", PROBE, data)

    def tell_alarm(self, active):
        """False where everything that waits is an alarm: this one is not refused but owed, and
        told once one of them is receipted."""
        state = self.store.state
        if active or not state["alarm"]:
            state["alarm"] = drawn(16)
        since = time_text()
        if state["owed"] is None and self.alarm(state["alarm"], active, since):
            return True
        self.owe(active, since)  # also while something is owed before it
        return False

    def alarm(self, name, active, since):
        data = {"alarm_id": name, "condition": "smoke", "active": active, "since": since}
        return self.tell("alarm", "city.vigil.smoke.alarm.v2", SMOKE, json.dumps(data))

    def owe(self, active, since):
        """One is enough, behind the end of the one before it: it rings since the first that is
        owed, and is over if the last says so. What follows is told under its name."""
        state = self.store.state
        owed = state["owed"] or {"id": state["alarm"], "since": None, "until": None, "ended": None}
        if active and owed["since"] is None:
            if owed["until"] is not None:
                owed["ended"] = [owed["id"], owed["until"]]
            owed["id"], owed["since"] = state["alarm"], since
        owed["until"] = None if active else since
        state["alarm"] = owed["id"]
        state["owed"] = owed
        said("full of alarms: this one is told as soon as one is receipted")
        self.store.save()

    def tell_owed(self):
        state = self.store.state
        owed = state["owed"]
        if owed is None:
            return
        if owed["ended"] is not None:
            if not self.alarm(owed["ended"][0], False, owed["ended"][1]):
                return
            owed["ended"] = None
        if owed["since"] is not None and self.alarm(owed["id"], True, owed["since"]):
            owed["since"] = None
        if owed["since"] is None:
            if owed["until"] is None or self.alarm(owed["id"], False, owed["until"]):
                state["owed"] = None
        self.store.save()

    def tell(self, lane, event_type, subject, data):
        """Number it, keep it, send it. False where there is no room: it has got no number."""
        state = self.store.state
        full = len(state["kept"]) >= (FOR_READINGS if lane == "observation" else KEPT)
        if full and not (lane == "alarm" and self.given_up()):
            said("full, not kept: " + event_type)
            return False
        number = state["next"][lane]
        state["next"][lane] = number + 1
        payload = self.composed(lane, event_type, subject, data, number)
        state["kept"].append([lane, number, payload])
        self.store.save()
        if self.resend_at is None:
            self.resend_at = seconds() + self.patience
        if self.ready:
            self.guarded(lambda: self.publish(lane, payload))
        return True

    def given_up(self):
        """The oldest reading makes room for an alarm, else the oldest answer: whoever asked asks
        again. False where there is none."""
        kept = self.store.state["kept"]
        for lane in ("observation", "event"):
            for at, one in enumerate(kept):
                if one[0] == lane:
                    said("full, given up for an alarm: {} {}".format(lane, one[1]))
                    del kept[at]
                    return True
        return False

    def composed(self, channel, event_type, subject, data, number=None):
        """``data`` as JSON text."""
        message = {
            "specversion": "1.0",
            "id": drawn(16),
            "source": "/{}/{}/{}".format(self.name, channel, self.store.state["epoch"]),
            "type": event_type,
            "subject": subject,
            "time": time_text(),
            "clockquality": self.clock_quality(),
            "datacontenttype": "application/json",
            "dataschema": "https://vigil.example/schemas/" + event_type + ".json",
        }
        if number is not None:
            message["sequence"] = "{:016d}".format(number)
        return json.dumps(message)[:-1] + ', "data": ' + data + "}"

    def birth(self):
        state = self.store.state
        devices = [
            {"device": PROBE, "domain": "water", "driver": "bench", "parameters": ["temperature"]},
            {"device": SMOKE, "domain": "smoke", "driver": "bench"},
        ]
        data = {
            "session": state["session"],
            "started": self.started,
            "software": "clients/micropython",
            "epoch": state["epoch"],
            "public_key": "0" * 64,
            "devices": devices,
        }
        data = json.dumps(data)
        message = self.composed("status", "city.vigil.gateway.birth.v1", self.name, data)
        self.publish("status", message, retain=True)

    def death(self, clean):
        data = {"session": self.store.state["session"], "clean": clean}
        data = json.dumps(data)
        return self.composed("status", "city.vigil.gateway.death.v1", self.name, data)

    def send_again(self):
        for lane in LANES:  # alarms first
            for kept in list(self.store.state["kept"]):
                if kept[0] == lane:
                    self.publish(lane, kept[2])

    # -- what comes down -------------------------------------------------------------------------

    def receipt(self, data):
        state = self.store.state
        covered = [[1, data["stored"]]] + data.get("beyond", [])

        def is_covered(lane, number):
            own = "/{}/{}/{}".format(self.name, lane, state["epoch"])
            return own == data["source"] and any(a <= number <= b for a, b in covered)

        kept = [one for one in state["kept"] if not is_covered(one[0], one[1])]
        if len(kept) < len(state["kept"]):
            state["kept"] = kept
            self.store.save()
            self.patience = FIRST_S
            self.resend_at = seconds() + self.patience if kept else None
            self.tell_owed()

    def command(self, data):
        """Each is done once, and its repetitions are answered."""
        state = self.store.state
        name = data["command_id"]
        done = dict(state["done"])
        if name not in done:
            done[name] = data["action"] == "resend_birth"
            if done[name]:
                self.birth()
            state["done"] = (state["done"] + [[name, done[name]]])[-DONE:]
        answer = {"command_id": name, "accepted": done[name]}
        answer["code"] = "ok" if done[name] else "unsupported"
        self.tell("event", "city.vigil.command.result.v1", self.name, json.dumps(answer))

    # -- MQTT 3.1.1 ------------------------------------------------------------------------------

    def write(self, first, body):
        head, size = bytearray([first]), len(body)
        while True:
            head.append((size & 127) | (128 if size > 127 else 0))
            size >>= 7
            if not size:
                break
        left = bytes(head) + body
        while left:
            sent = self.socket.send(left)
            left = left[sent:]
        self.last_sent = seconds()

    def publish(self, channel, payload, retain=False):
        topic = "vigil/v1/{}/{}".format(self.name, channel)
        self.packet_id = self.packet_id % 65535 + 1
        body = text(topic) + struct.pack("!H", self.packet_id) + payload.encode()
        self.write(0x33 if retain else 0x32, body)

    def guarded(self, act):
        """Where a connection is: do something that may find it lost."""
        if self.socket is None:
            return
        try:
            act()
        except OSError as error:
            said("connection lost: " + str(error))
            self.close()

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket, self.incoming, self.skip, self.ready = None, b"", 0, False

    def connect(self):
        state = self.store.state
        address = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)[0]
        self.socket = socket.socket(address[0], socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(address[-1])
        state["session"] += 1
        self.store.save()
        flags = 0x2E | (0xC0 if self.user else 0)  # clean; will: retained, QoS 1
        body = text("MQTT") + bytes([4, flags]) + struct.pack("!H", KEEPALIVE_S)
        body += text(self.name) + text("vigil/v1/{}/status".format(self.name))
        body += text(self.death(False))
        if self.user:
            body += text(self.user) + text(self.word or "")
        self.write(0x10, body)
        self.welcomed()
        body = b"\x00\x01"
        for channel in ("receipt", "command"):
            body += text("vigil/v1/{}/{}".format(self.name, channel)) + b"\x01"
        self.write(0x82, body)
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)
        self.last_heard = self.subscribing = seconds()

    def welcomed(self):
        """CONNACK, which comes first, with a good code."""
        got = b""
        while len(got) < 4:
            more = self.socket.recv(4 - len(got))
            if not more:
                raise OSError("closed by the broker")
            got += more
        if got[:2] != b"\x20\x02" or got[3]:
            raise OSError("refused by the broker")

    def subscribed(self, body):
        """Each topic has a code of its own, in the order of SUBSCRIBE: without receipts nothing
        would ever leave the store, without commands nobody could ask for anything. Only then the
        birth: what it calls for finds somebody who listens."""
        if self.ready or body[:2] != b"\x00\x01":
            return
        for at, what in enumerate(("receipts", "commands"), 2):
            if len(body) != 4 or body[at] >= 0x80:
                raise OSError("refused by the broker: " + what)
        self.ready = True
        self.birth()
        self.patience = FIRST_S
        self.resend_at = seconds() + FIRST_S if self.store.state["kept"] else None
        self.tell_owed()
        self.send_again()

    def receive(self):
        if not self.poll.poll(0):
            return
        more = self.socket.recv(4096)
        if not more:
            raise OSError("closed by the broker")
        self.last_heard = seconds()
        self.incoming += more
        while self.socket is not None and self.take():
            pass

    def take(self):
        """One packet out of what has come; False where none is whole."""
        if self.skip:
            over = min(self.skip, len(self.incoming))
            self.incoming, self.skip = self.incoming[over:], self.skip - over
        size, shift, at = 0, 0, 1
        while at < len(self.incoming) and shift < 28:
            byte = self.incoming[at]
            size |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                break
        else:
            return False
        if size > LARGEST:  # nothing of ours is so large
            self.skip, self.incoming = size, self.incoming[at:]
            return True
        if len(self.incoming) < at + size:
            return False
        first, body = self.incoming[0], self.incoming[at : at + size]
        self.incoming = self.incoming[at + size :]
        if first & 0xF0 == 0x30:  # may come before SUBACK (MQTT 3.1.1, 3.8.4)
            self.published(first, body)
        elif first == 0x90:
            self.subscribed(body)
        return True

    def published(self, first, body):
        at = 2 + struct.unpack("!H", body[:2])[0]
        topic = body[2:at].decode()
        if first & 6:
            self.write(0x40, body[at : at + 2])
            at += 2
        try:
            data = json.loads(body[at:].decode())["data"]
            if topic.endswith("/receipt"):
                self.receipt(data)
            elif topic.endswith("/command"):
                self.command(data)
        except (ValueError, KeyError, TypeError) as error:
            said("not understood: " + str(error))

    def step(self):
        """What is due now: call it often, it does not wait but for a new connection."""
        now = seconds()
        if self.socket is None and now >= self.retry_at:
            try:
                self.connect()
                self.pause = 1
            except OSError as error:
                said("no connection: " + str(error))
                self.close()
                self.pause = min(2 * self.pause, 30)
            self.retry_at = now + self.pause
        self.guarded(self.receive)
        if self.socket is not None and not self.ready and now - self.subscribing >= 10:
            said("connection lost: no subscription")
            self.close()
        if self.ready and self.resend_at is not None and now >= self.resend_at:
            self.patience = min(2 * self.patience, LAST_S)
            self.resend_at = now + self.patience
            self.guarded(self.send_again)
        if now - self.last_sent >= KEEPALIVE_S / 2:
            self.guarded(lambda: self.write(0xC0, b""))
        if self.socket is not None and now - self.last_heard >= 2 * KEEPALIVE_S:
            said("connection lost: the broker is silent")
            self.close()

    def goodbye(self):
        if self.ready:
            self.guarded(lambda: self.publish("status", self.death(True), retain=True))
            self.guarded(lambda: self.write(0xE0, b""))
        self.close()


def text(value):
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


def told(gateway, line):
    words = line.split()
    if len(words) == 2 and words[0] == "reading":
        try:
            value = float(words[1])
        except ValueError:
            value = float("nan")
        if value - value == 0:  # neither infinite nor not a number
            gateway.tell_reading(value)
            return
    elif words in (["alarm", "on"], ["alarm", "off"]):
        gateway.tell_alarm(words[1] == "on")
        return
    if words:
        said("give reading NUMBER, alarm on or alarm off")


def run(gateway):
    """Until standard input has ended and everything is receipted."""
    # Unbuffered: a line that waits in a buffer is none that poll tells of.
    stdin = getattr(getattr(sys.stdin, "buffer", None), "raw", sys.stdin)
    lines = select.poll()
    lines.register(stdin, select.POLLIN)
    ended = False
    try:
        state = gateway.store.state
        while not (ended and gateway.ready and not state["kept"] and state["owed"] is None):
            gateway.step()
            if ended:
                time.sleep(0.1)
            elif lines.poll(100):
                line = stdin.readline()
                ended = not line
                told(gateway, line.decode() if isinstance(line, bytes) else line)
    except KeyboardInterrupt:
        pass
    gateway.goodbye()
    return 0


def main(values):
    if len(values) not in (5, 7):
        said("usage: gateway.py HOST PORT GATEWAY STATE_FILE [USER PASSWORD]")
        return 2
    return run(Gateway(values[1], int(values[2]), values[3], Store(values[4]), *values[5:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
