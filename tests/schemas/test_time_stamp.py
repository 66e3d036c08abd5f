"""Certificates of a stamp in the order that strict readers ask for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from servers.tsa import time_authority
from vigil_schemas.time_stamp import in_order


def test_openssls_answers_are_read_whatever_the_order_of_their_certificates(
    tmp_path: Path,
) -> None:
    """Keys are drawn anew: in half of them the order happens to be right."""
    read = []
    for number in range(6):
        with time_authority(tmp_path / str(number)) as authority:
            asked = TimestampRequestBuilder().data(b"text").hash_algorithm(HashAlgorithm.SHA256)
            answer = authority.stamp(asked.build().as_bytes())
            sorted_answer = in_order(answer)
            assert sorted(sorted_answer) == sorted(answer)
            assert in_order(sorted_answer) == sorted_answer
            assert authority.verify(b"text", sorted_answer)
            assert len(decode_timestamp_response(sorted_answer).signed_data.certificates) == 2
            read.append(answer == sorted_answer)
    assert len(read) == 6


@given(st.binary(max_size=300))
def test_what_is_no_answer_is_given_back(content: bytes) -> None:
    assert sorted(in_order(content)) == sorted(content)


@pytest.mark.parametrize("cut", [1, 40, 300, 900])
def test_half_an_answer_is_given_back(tmp_path: Path, cut: int) -> None:
    with time_authority(tmp_path) as authority:
        asked = TimestampRequestBuilder().data(b"text").hash_algorithm(HashAlgorithm.SHA256)
        answer = authority.stamp(asked.build().as_bytes())
    assert in_order(answer[:-cut]) == answer[:-cut]
    rng = random.Random(cut)
    changed = bytearray(answer)
    for _ in range(20):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        assert len(in_order(bytes(changed))) == len(changed)
