"""Time stamps of a real authority: asked for in time or done without, and never believed unseen."""

from __future__ import annotations

import hashlib
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

import servers
from servers.tsa import Authority, time_authority
from vigil_edge.evidence.stamp import PAUSE_S, NoStamp, TimeStamps

TEXT = b"0" * 64 + b"  audio.wav\n"


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    with time_authority(tmp_path / "tsa") as made:
        yield made


class Asking:
    """A gateway's asker with a clock that a test moves."""

    def __init__(self, url: str, ca_file: Path | None = None, wait_s: float = 30.0) -> None:
        self.now = 1000.0
        self.counts: Counter[str] = Counter()
        self.stamps = TimeStamps(
            url, ca_file, wait_s, lambda: self.now, lambda name: self.counts.update([name])
        )


async def test_the_stamp_holds_by_openssl_itself(authority: Authority) -> None:
    asking = Asking(authority.url, authority.ca_file)
    stamp = await asking.stamps.ask(TEXT)
    assert stamp is not None
    assert authority.verify(TEXT, stamp)
    assert not authority.verify(TEXT + b"\n", stamp)
    assert asking.counts == {}


async def test_the_stamp_of_another_authority_is_not_kept(
    authority: Authority, tmp_path: Path
) -> None:
    with time_authority(tmp_path / "other") as other:
        asking = Asking(authority.url, other.ca_file)
        assert await asking.stamps.ask(TEXT) is None
    assert asking.counts == {"timestamp-missing": 1}


async def test_one_that_never_answers_is_waited_for_so_long_and_left_alone_for_a_minute(
    authority: Authority,
) -> None:
    over = threading.Event()

    def never(question: bytes) -> bytes:
        over.wait(60)
        return question

    authority.answer = never
    asking = Asking(authority.url, wait_s=3)
    try:
        assert await asking.stamps.ask(TEXT) is None
        assert await asking.stamps.ask(TEXT) is None
        assert len(authority.questions) == 1, "the next package does not wait for it"
        assert asking.counts == {"timestamp-missing": 2}
    finally:
        over.set()
    authority.answer = authority.stamp
    asking = Asking(authority.url)
    asking.stamps._missing("as if it had failed")
    asking.now += PAUSE_S - 1
    assert await asking.stamps.ask(TEXT) is None
    asking.now += 1
    assert await asking.stamps.ask(TEXT) is not None


async def test_one_that_is_not_there_is_done_without() -> None:
    asking = Asking(f"http://127.0.0.1:{servers.free_port()}")
    assert await asking.stamps.ask(TEXT) is None
    assert asking.counts == {"timestamp-missing": 1}


def replayed(authority: Authority) -> Callable[[bytes], bytes]:
    """It says again what it said to an earlier question about the same text."""
    question = authority.folder / "earlier.tsq"
    digest = hashlib.sha256(TEXT).hexdigest()
    words = ["openssl", "ts", "-query", "-digest", digest, "-sha256", "-cert", "-out", question]
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
    earlier = authority.stamp(question.read_bytes())
    assert authority.verify(TEXT, earlier), "it is a stamp of the text, but of another day"
    return lambda _question: earlier


@pytest.mark.parametrize(
    "what", ["nothing", "words", "too much", "a question", "half", "an earlier answer", "a refusal"]
)
async def test_what_is_no_answer_to_this_question_is_not_kept(
    authority: Authority, what: str
) -> None:
    answers: dict[str, Callable[[bytes], bytes]] = {
        "nothing": lambda _question: b"",
        "words": lambda _question: b"<html>welcome</html>",
        "too much": lambda question: authority.stamp(question) + bytes(70_000),
        "a question": lambda question: question,
        "half": lambda question: authority.stamp(question)[:200],
        # An algorithm that it does not stamp.
        "a refusal": lambda _question: authority.stamp(b"0\x03\x02\x01\x01"),
    }
    authority.answer = replayed(authority) if what == "an earlier answer" else answers[what]
    asking = Asking(authority.url)
    assert await asking.stamps.ask(TEXT) is None
    assert asking.counts == {"timestamp-missing": 1}


async def test_no_changed_answer_brings_the_gateway_down(authority: Authority) -> None:
    """Bytes of a true answer are changed at random: it is kept, or refused as none, and nothing
    else happens."""
    whole = authority.stamp(_question_of(authority))
    asking = Asking(authority.url)
    rng = random.Random(7)
    refused = 0
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(rng.choice([1, 1, 3])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            asking.stamps._examine(bytes(changed), TEXT, None)
        except NoStamp:
            refused += 1
    assert refused > 0


def _question_of(authority: Authority) -> bytes:
    request = TimestampRequestBuilder().data(TEXT).hash_algorithm(HashAlgorithm.SHA256)
    return request.nonce(nonce=False).build().as_bytes()
