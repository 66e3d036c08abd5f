"""Beacons whose id rotates: whose an id is, replays, what watch lists carry, and what is kept."""

from __future__ import annotations

import hashlib
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud_city import GATEWAY, NOON, City
from gateways import EPOCH, event
from ingest_bench import Bench, Recorder
from vigil_cloud.alerts.models import FeedEntry
from vigil_cloud.alerts.sealing import CIPHER
from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.eid import DRIFT, SLACK_S, Key, Offset, ids, judged
from vigil_cloud.checkin.eid_table import Table
from vigil_cloud.checkin.late_job import LateVisitsFailed, resolve_late
from vigil_cloud.checkin.models import LateVisit, RotatingBeacon, Visit, Watch
from vigil_cloud.checkin.service import give_tag
from vigil_cloud.checkin.watching import _entries
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Unprepared
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.secret_key import rotate
from vigil_cloud.jobs.port import Turn
from vigil_schemas.checkin import CheckinVisit, sighting_model, visit_model

ZERO = NOON.timestamp() - 1_000_000.0
SECRET = bytes(range(16))


def keys(count: int, exponent: int = 10) -> list[Key]:
    draw = random.Random(count)
    return [
        Key(hashlib.sha256(n.to_bytes(4)).digest()[:16], exponent, ZERO - draw.uniform(0, 1e7))
        for n in range(count)
    ]


def sent(key: Key, moment: float) -> bytes:
    """What a beacon whose clock is right sends then."""
    return ids(key, int((moment - key.zero_s) // key.window_s), 1)[0]


def test_an_id_is_computed_as_the_specification_says() -> None:
    """Step by step with a plain AES, from the document's description."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    def aes(key: bytes, block: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)

    counter, exponent = 0x00012345, 10
    temporary = aes(SECRET, bytes(11) + b"\xff" + bytes(2) + (counter >> 16).to_bytes(2, "big"))
    quantised = counter >> exponent << exponent
    wanted = aes(temporary, bytes(11) + bytes((exponent,)) + quantised.to_bytes(4, "big"))[:8]
    assert ids(Key(SECRET, exponent, 0.0), counter >> exponent, 1) == [wanted]


@given(st.integers(8, 15), st.integers(0, 300), st.integers(1, 70))
def test_ids_of_a_stretch_are_those_of_each_window(exponent: int, first: int, count: int) -> None:
    key = Key(SECRET, exponent, 0.0)
    alone = [one for n in range(count) for one in ids(key, first + n, 1)]
    assert ids(key, first, count) == alone
    assert len(set(alone)) == count


@given(st.integers(0, 39), st.floats(-140_000, 50_000))
def test_the_table_finds_what_was_sent_within_two_days(beacon: int, ago: float) -> None:
    made = _table()
    moment = NOON.timestamp() + ago
    key = made.key(beacon)
    (match,) = made.find(sent(key, moment), moment, NOON.timestamp())
    assert match.beacon == beacon
    assert 0 <= moment - key.zero_s - match.window * key.window_s < key.window_s


_kept: list[Table] = []


def _table() -> Table:
    if not _kept:
        _kept.append(Table(keys(40)))
    return _kept[0]


def test_a_large_table_waits_for_the_blocks_of_the_moment_alone() -> None:
    table, moment = Table(keys(5), at_once=1), NOON.timestamp()
    for beacon in range(5):
        key = table.key(beacon)
        assert [m.beacon for m in table.find(sent(key, moment), moment, moment)] == [beacon]
        late = moment - 3 * 86_400
        assert [m.beacon for m in table.find(sent(key, late), late, moment)] == [beacon]


def test_a_strangers_id_is_nobodys() -> None:
    assert _table().find(b"stranger", NOON.timestamp(), NOON.timestamp()) == []


@given(st.floats(-1, 1), st.lists(st.floats(10, 40_000), min_size=1, max_size=40))
def test_a_drifting_beacon_is_never_taken_for_a_replay(drift: float, pauses: list[float]) -> None:
    key, moment, lag = Key(SECRET, 10, 0.0), 1e6, 0.0
    known = Offset(-SLACK_S, SLACK_S, moment)
    for pause in pauses:
        moment += pause
        lag += drift * DRIFT * pause
        window = int((moment - lag) // key.window_s)
        after = judged(key, window, known, moment, moment)
        assert after is not None
        known = after
        assert known.low <= lag <= known.high
    assert known.high - known.low <= 2 * SLACK_S + 2 * DRIFT * sum(pauses) + 1


def test_replays_outside_of_their_window_are_known_as_such() -> None:
    """1,000 ids, recorded and sent again between half a window and two days later."""
    draw, caught = random.Random(3), 0
    key = Key(SECRET, 10, 0.0)
    for _ in range(1000):
        moment = draw.uniform(1e6, 2e6)
        known = Offset(-SLACK_S, SLACK_S, moment)
        window = int(moment // key.window_s)
        again = (window + 1) * key.window_s + draw.uniform(60, 2 * 86_400)
        caught += judged(key, window, known, again, again) is None
    assert caught >= 990


@pytest.fixture
def worn(city: City) -> tuple[City, Key]:
    """A city in which the person also carries a beacon whose id rotates."""
    return with_beacon(city, 1_000_000)


@pytest.fixture
def worn_long(city: City) -> tuple[City, Key]:
    """The same; it has counted for four months."""
    return with_beacon(city, 10_000_000)


def with_beacon(city: City, counter_s: int) -> tuple[City, Key]:
    with writing(city.services.sessions) as session:
        beacon = rotating.NewBeacon(SECRET, 10, counter_s)
        tag = rotating.add(session, beacon, city.time)
        give_tag(session, tag, "p1", by="operator", now=city.time)
    city.consent("family")
    return city, Key(SECRET, 10, city.time.timestamp() - counter_s)


def heard(city: City, key: Key, moment: datetime, length_s: float = 60, **fields: object) -> None:
    """A visit to station 1 under the id that is sent at ``moment``."""
    tag = f"eddystone-eid:{sent(key, moment.timestamp()).hex()}"
    begin = fields.pop("begin", moment)
    assert isinstance(begin, datetime)
    city.time = max(city.time, begin + timedelta(seconds=length_s + 300))
    city.send(
        visit_model(tag)(
            visit_id=f"visit-{tag[-8:]}-{begin:%d%H%M%S}",
            phase="departed",
            tag=tag,
            carrier="ble",
            arrived=begin,
            last_seen=begin + timedelta(seconds=length_s),
            sightings=30,
        ),
        "station-1",
    )


def footprint(city: City) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (
        city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    )
    return found


def test_a_visit_is_one_across_rotations(worn: tuple[City, Key]) -> None:
    city, key = worn
    begin = NOON + timedelta(minutes=10)
    windows = {int((begin.timestamp() - key.zero_s) // key.window_s) + n for n in range(4)}
    for window in sorted(windows):
        start = datetime.fromtimestamp(key.zero_s + window * key.window_s, UTC)
        heard(city, key, start + timedelta(seconds=2), key.window_s - 4)
    (stay,) = footprint(city)
    assert stay["sightings"] == 120
    assert stay["doubt"] is None
    with city.services.sessions() as session:
        assert {row.tag for row in session.scalars(select(Visit))} == {
            session.scalars(select(RotatingBeacon.tag)).one()
        }


def test_a_replay_is_kept_marked_and_never_shown_without_the_mark(
    worn: tuple[City, Key],
) -> None:
    city, key = worn
    heard(city, key, NOON + timedelta(minutes=10))
    heard(city, key, NOON + timedelta(minutes=10), begin=NOON + timedelta(hours=5))
    assert [stay["doubt"] for stay in footprint(city)] == [None, "replayed"]
    (hit,) = [a for a in city.alerts("family") if a["detail"].get("doubt")]
    assert hit["detail"]["doubt"] == "replayed"


def test_a_strangers_id_leaves_no_trace(worn: tuple[City, Key]) -> None:
    city, _ = worn
    with city.services.sessions() as session:
        before = session.scalar(select(func.count()).select_from(FeedEntry))
    stranger = Key(b"another city key", 10, ZERO)
    heard(city, stranger, NOON + timedelta(minutes=5))
    with city.services.sessions() as session:
        assert session.scalars(select(Visit)).all() == []
        assert session.scalar(select(func.count()).select_from(FeedEntry)) == before


def test_the_watch_list_carries_what_is_sent_now_and_next(worn: tuple[City, Key]) -> None:
    city, key = worn
    until = city.time + timedelta(days=2)
    with writing(city.services.sessions) as session:
        session.add(Watch(case_id="case-1", person_key="p1", until=until))
    for minutes in (0, 7, 16, 25, 40):
        moment = city.time + timedelta(minutes=minutes)
        with city.services.sessions() as session:
            entries, left_out = _entries(session, moment)
        listed = {entry.id: entry.until for entry in entries}
        assert left_out == 0
        for ahead in (0, 17, 34, 51):
            then = moment + timedelta(minutes=ahead)
            identity = f"eddystone-eid:{sent(key, then.timestamp()).hex()}"
            assert listed[identity] > then, "it is looked for as long as it is sent"
        assert not any(entry.startswith(rotating.OWN) for entry in listed)


def test_keys_are_sealed_and_destroyed_with_the_person(worn: tuple[City, Key]) -> None:
    city, _ = worn
    with city.services.sessions() as session:
        (row,) = session.scalars(select(RotatingBeacon)).all()
        assert SECRET not in row.key
    erase(city.services, "p1", by="operator")
    with city.services.sessions() as session:
        assert session.scalars(select(RotatingBeacon)).all() == []


def test_a_table_is_never_made_under_the_feeds_lock(worn: tuple[City, Key]) -> None:
    """Whoever holds the lock is told what to make first, also when a beacon was added since."""
    city, key = worn
    said = f"eddystone-eid:{sent(key, city.time.timestamp()).hex()}"

    def resolved() -> rotating.Known | None:
        with writing(city.services.sessions) as session:
            return rotating.resolve(session, said, city.time, city.time, city.time)

    for counter_s in (1_000_000, 1_000_003):
        with writing(city.services.sessions) as session:
            other = rotating.NewBeacon(bytes(16), 10, counter_s)
            rotating.add(session, other, city.later(seconds=1))
        with pytest.raises(Unprepared) as needed:
            resolved()
        needed.value.prepare(city.services.sessions)
        assert resolved() is not None
        assert resolved() is not None


def test_a_beacon_keeps_its_name_when_the_secret_key_is_changed(worn: tuple[City, Key]) -> None:
    """It is what its carrier's tag is called by."""
    city, _ = worn
    with writing(city.services.sessions) as session:
        (before,) = session.scalars(select(RotatingBeacon.tag))
        changed = Cipher("another secret of more than thirty-two characters")
        rotate(session, city.cipher, changed, by="operator", now=city.time)
        session.info[CIPHER] = changed
        again = rotating.add(session, rotating.NewBeacon(SECRET, 10, 5), city.time)
        assert again == before
        assert session.scalars(select(RotatingBeacon.tag)).all() == [before]
        assert rotating.unreadable(session) == []


def test_one_key_that_cannot_be_opened_costs_that_beacon_alone(worn: tuple[City, Key]) -> None:
    city, key = worn
    lost = Cipher("a secret key that nobody has any more, long")
    with writing(city.services.sessions) as session:
        (own,) = session.scalars(select(RotatingBeacon)).all()
        session.add(
            RotatingBeacon(
                tag="rotating:lost",
                key=lost.seal_bytes(rotating.KEY, bytes(16)),
                exponent=10,
                zero=own.zero,
                offset_low_s=-30.0,
                offset_high_s=30.0,
                offset_at=city.time,
                changed=city.time,
            )
        )
    with city.services.sessions() as session:
        assert rotating.unreadable(session) == ["rotating:lost"]
        assert list(rotating.sent_soon(session, ["rotating:lost", own.tag], city.time)) == [own.tag]
    heard(city, key, NOON + timedelta(minutes=10))
    assert len(footprint(city)) == 1


def test_files_of_beacons() -> None:
    (one,) = rotating.read_file([f"{SECRET.hex()},10,123456", ""])
    assert one == rotating.NewBeacon(SECRET, 10, 123_456)
    long = '"' + "0" * 140_000
    for wrong in ("x,10,1", f"{SECRET.hex()},7,1", f"{SECRET.hex()},16,1", "00,10,1", "a,b", long):
        with pytest.raises(rotating.BadBeaconFile, match="line 1"):
            rotating.read_file([wrong])


def test_a_message_of_the_second_version_is_the_first_ones_kind() -> None:
    assert issubclass(visit_model("eddystone-eid:0011223344556677"), CheckinVisit)
    assert visit_model("epc:00112233").TYPE == "city.vigil.checkin.visit.v1"


def counted_blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks of ids that are made from now on."""
    made: list[int] = []
    make = Table._make

    def counting(table: Table, number: int) -> object:
        made.append(number)
        return make(table, number)

    monkeypatch.setattr(Table, "_make", counting)
    return made


def store(city: City, said: list[tuple[str, datetime]]) -> Bench:
    """One batch of visits in the event lane, by the writer itself."""
    bench = Bench(city.services, Recorder(), [city.time])
    arrived = [
        bench.arrived(f"vigil/v1/{GATEWAY}/event", _departed(n, tag, at))
        for n, (tag, at) in enumerate(said, 1)
    ]
    takes = visit_model("eddystone-eid:0011223344556677").TYPE
    writer = bench.writer([one for one in city.handlers if takes in one.types])
    given_up = threading.Timer(30.0, writer.ask_to_stop)
    given_up.start()
    writer.store(arrived)
    given_up.cancel()
    assert bench.dead_letters() == []
    assert bench.recorder.told[-1][:3] == (f"/{GATEWAY}/event/{EPOCH}", len(said), ())
    return bench


def backdated(city: City, key: Key, many: int) -> list[tuple[str, datetime]]:
    """Ids of many days, of three to sixty-two days ago."""
    return [
        (f"eddystone-eid:{sent(key, at.timestamp()).hex()}", at)
        for at in (city.time - timedelta(days=3 + n % 60, minutes=n) for n in range(many))
    ]


def by_tag(city: City) -> list[int]:
    with city.services.sessions() as session:
        many = select(Visit.tag, func.count()).group_by(Visit.tag)
        return sorted(count for _, count in session.execute(many))


def turn_of(city: City) -> Turn:
    return Turn(city.services, city.time)


def test_old_visits_of_many_days_hold_up_no_other_event(
    worn_long: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many days a batch goes back, the event lane makes the tables of the last two alone:
    what is older waits for a job."""
    city, key = worn_long
    made = counted_blocks(monkeypatch)
    said = backdated(city, key, 90)
    said.insert(13, ("ibeacon:0123456789abcdef0123456789abcdef:1:99", city.time))
    said.append((f"eddystone-eid:{sent(key, city.time.timestamp()).hex()}", city.time))
    store(city, said)
    newest = rotating.block_of_moment(city.time)
    assert set(made) <= set(range(newest - 3, newest + 2)), "of the last two days, and the next"
    assert len(made) == len(set(made)), "each once"
    assert by_tag(city) == [1, 1], "what is of now is stored at once"

    made.clear()
    resolve_late(turn_of(city))
    assert by_tag(city) == [1, 91]
    assert len(made) <= 2 * 7 * 60, "a few for each of the days"
    with city.services.sessions() as session:
        assert session.scalars(select(LateVisit)).all() == []


def test_a_job_with_old_ids_leaves_the_tables_of_the_moment_alone(
    worn_long: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn_long
    heard(city, key, city.time)
    store(city, backdated(city, key, 40))
    resolve_late(turn_of(city))
    made = counted_blocks(monkeypatch)
    heard(city, key, city.time)
    assert made == []


def test_an_old_id_of_nobodys_is_gone_once_the_job_has_looked(worn_long: tuple[City, Key]) -> None:
    city, _ = worn_long
    stranger = Key(b"another city key", 10, ZERO)
    store(city, backdated(city, stranger, 5))
    resolve_late(turn_of(city))
    with city.services.sessions() as session:
        assert session.scalars(select(LateVisit)).all() == []
        assert session.scalars(select(Visit)).all() == []


def test_an_old_sighting_of_a_rotating_id_asks_for_no_table(
    worn_long: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn_long
    made = counted_blocks(monkeypatch)
    at = city.time - timedelta(days=9)
    tag = f"eddystone-eid:{sent(key, at.timestamp()).hex()}"
    seen = sighting_model(tag)(sighting_id="sighting-1", tag=tag, carrier="ble", seen=at)
    city.send(seen, "station-1")
    assert made == []


def test_one_old_visit_that_fails_keeps_no_other_waiting(
    worn_long: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn_long
    store(city, backdated(city, key, 6))
    with writing(city.services.sessions) as session:
        first = session.scalars(select(LateVisit).order_by(LateVisit.id)).first()
        assert first is not None
        first.envelope = {**first.envelope, "time": "never"}
    with pytest.raises(LateVisitsFailed):
        resolve_late(turn_of(city))
    with city.services.sessions() as session:
        (left,) = session.scalars(select(LateVisit)).all()
        assert left.tries >= 1
    assert by_tag(city) == [5]


def test_more_old_ids_than_are_kept_are_refused_with_their_reason(
    worn_long: tuple[City, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, key = worn_long
    monkeypatch.setattr("vigil_cloud.checkin.late_ids.MOST", 2)
    bench = Bench(city.services, Recorder(), [city.time])
    arrived = [
        bench.arrived(f"vigil/v1/{GATEWAY}/event", _departed(n, tag, at))
        for n, (tag, at) in enumerate(backdated(city, key, 5), 1)
    ]
    takes = visit_model("eddystone-eid:0011223344556677").TYPE
    bench.writer([one for one in city.handlers if takes in one.types]).store(arrived)
    assert {letter.reason for letter in bench.dead_letters()} == {"late-ids-full"}
    assert len(bench.dead_letters()) == 2


def _departed(number: int, tag: str, at: datetime) -> bytes:
    stay = visit_model(tag)(
        visit_id=f"old-visit-{number}",
        phase="departed",
        tag=tag,
        carrier="ble",
        arrived=at,
        last_seen=at,
        sightings=3,
    )
    return event(GATEWAY, number, stay, subject="station-1", time=at)


def test_without_beacons_nothing_has_to_be_made() -> None:
    empty, moment = Table([]), NOON.timestamp()
    assert not empty.missing(moment - 30 * 86_400, moment)
    assert empty.find(b"stranger", moment, moment) == []
