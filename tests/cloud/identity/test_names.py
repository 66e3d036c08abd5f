"""Names of many people, read together."""

from __future__ import annotations

from cloud_city import NAME, City
from sql import statements
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households, persons
from vigil_cloud.identity.roles import Role


def test_names_that_are_loaded_together_cost_no_statement_each(city: City) -> None:
    """Nobody held what was read: the session forgot it at once, and asked for each anew."""
    keys = ["p1", *(f"q{number:02}" for number in range(20))]
    for number, key in enumerate(keys[1:]):
        city.person(key, f"name {number}", f"epc:{number:024}")
    with statements(city.services.engine) as asked, city.services.sessions() as session:
        persons.load(session, keys)
        found = [persons.name_of(session, city.cipher, key) for key in keys]
    assert found == [NAME, *(f"name {number}" for number in range(20))]
    assert len(asked) == 1
    with statements(city.services.engine) as asked, city.services.sessions() as session:
        everybody = persons.everybody(session)
        assert [persons.name_of(session, city.cipher, one.key) for one in everybody] == found
    assert len(asked) == 1


def test_my_people_are_listed_with_as_many_statements_as_one(city: City) -> None:
    """An account that looks after two hundred (a nursing home) opened each name with two."""
    city.account("home", Role.FAMILY)
    client, cost = city.client("home"), []
    for first, last in ((0, 1), (1, 20)):
        for number in range(first, last):
            city.person(f"q{number:02}", f"name {number:02}", f"epc:{number:024}")
            city.consent("home", f"q{number:02}")
        with statements(city.services.engine) as asked:
            answer = client.get("/api/v1/people/mine")
        names = [one["name"] for one in answer.raise_for_status().json()["people"]]
        assert names == [f"name {number:02}" for number in range(last)]
        cost.append(len(asked))
    # Who asks (two), whom they guard, what was given to them, the names.
    assert cost == [5, 5]


def test_homes_are_named_with_as_many_statements_as_one(city: City) -> None:
    cost = []
    for first, last in ((0, 1), (1, 20)):
        with writing(city.services.sessions) as session:
            for number in range(first, last):
                home = households.Described(f"home {number}")
                households.put(session, city.cipher, f"h{number}", home, by="op", now=city.time)
        keys = [f"h{number}" for number in range(last)]
        with statements(city.services.engine) as asked, city.services.sessions() as session:
            assert len(households.names(session, city.cipher, keys)) == last
        cost.append(len(asked))
    assert cost[0] == cost[1]
