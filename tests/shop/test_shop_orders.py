"""Orders and stock: each effect class as it really is."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import JsonValue
from the_shop import Service

DAY_S = 24 * 3600.0
DAMAGED: dict[str, JsonValue] = {"quantity": 1, "reason": "damaged", "order_id": "1042"}


def write_off(orders: Service, sku: str, key: str, body: JsonValue = None) -> tuple[int, JsonValue]:
    answer = orders.call(
        "POST", f"/stock/{sku}/write-offs", body or DAMAGED, headers={"Idempotency-Key": key}
    )
    return answer.status_code, answer.json()


def test_order_1042_is_a_mug_and_a_plate_set(orders: Service) -> None:
    order = orders.get("/orders/1042").json()

    assert order["customer"] == {"email": "customer-1042@example.com"}
    assert order["payment_id"] == "pay_1042"
    assert [(line["name"], line["price"]) for line in order["lines"]] == [
        ("mug", {"amount": "18.50", "currency": "EUR"}),
        ("plate set", {"amount": "64.00", "currency": "EUR"}),
    ]


def test_orders_are_listed_by_status(orders: Service) -> None:
    paid = orders.get("/orders?status=paid").json()
    every = orders.get("/orders").json()

    assert {order["status"] for order in paid} == {"paid"}
    assert [order["id"] for order in every] == ["1042", "1043", "1044", "1045", "1046"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/orders/9999", "ORDER_NOT_FOUND"),
        ("/orders/9999/notes", "ORDER_NOT_FOUND"),
        ("/stock/SPOON", "SKU_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_404_with_its_code(orders: Service, path: str, code: str) -> None:
    answer = orders.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == code
    assert answer.headers["X-Request-Id"].startswith("rq_")


def test_a_write_off_with_a_key_happens_once_and_is_replayed(orders: Service) -> None:
    before = orders.get("/stock/TEAPOT").json()
    headers = {"Idempotency-Key": "once-1"}

    first = orders.call("POST", "/stock/TEAPOT/write-offs", DAMAGED, headers=headers)
    second = orders.call("POST", "/stock/TEAPOT/write-offs", DAMAGED, headers=headers)
    after = orders.get("/stock/TEAPOT").json()

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert after["on_hand"] == before["on_hand"] - 1 == first.json()["on_hand"]
    assert after["damaged"] == before["damaged"] + 1
    assert len(orders.ledger("once-1")) == 1


def test_identical_write_offs_at_once_apply_one_effect(orders: Service) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: write_off(orders, "BOWL", "at-once"), range(12)))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 201
    assert len(orders.ledger("at-once")) == 1


def test_a_key_with_another_body_or_article_is_refused(orders: Service) -> None:
    write_off(orders, "BOWL", "mine")

    other_body = write_off(orders, "BOWL", "mine", {**DAMAGED, "quantity": 2})
    other_article = write_off(orders, "TEAPOT", "mine")

    for status, body in (other_body, other_article):
        assert status == 409
        assert isinstance(body, dict)
        assert body["code"] == "KEY_REUSED"
    assert len(orders.ledger("mine")) == 1


def test_a_key_is_kept_for_a_day_and_not_longer(orders: Service) -> None:
    write_off(orders, "BOWL", "day")

    orders.age_keys(DAY_S - 60)
    within = write_off(orders, "BOWL", "day")
    rows_within = len(orders.ledger("day"))
    orders.age_keys(120)
    after = write_off(orders, "BOWL", "day")

    assert within[0] == after[0] == 201
    assert rows_within == 1
    assert len(orders.ledger("day")) == 2


def test_more_than_is_there_is_refused_and_leaves_the_key_free(orders: Service) -> None:
    refused = write_off(orders, "MUG-BLUE", "free", {**DAMAGED, "quantity": 1000})
    taken = write_off(orders, "MUG-BLUE", "free")

    assert refused[0] == 409
    assert isinstance(refused[1], dict)
    assert refused[1]["code"] == "NOT_ENOUGH_STOCK"
    assert taken[0] == 201


def test_a_write_off_for_an_order_that_is_not_there_changes_nothing(orders: Service) -> None:
    before = orders.get("/stock/BOWL").json()

    status, _ = write_off(orders, "BOWL", "nobody", {**DAMAGED, "order_id": "1"})

    assert status == 404
    assert orders.get("/stock/BOWL").json() == before
    assert orders.ledger("nobody") == []


def test_a_note_is_added_twice_but_found_by_its_reference(orders: Service) -> None:
    note: JsonValue = {"text": "called the customer", "reference": "call-7"}

    first = orders.call("POST", "/orders/1043/notes", note)
    second = orders.call("POST", "/orders/1043/notes", note)
    found = orders.get("/notes?reference=call-7").json()
    of_the_order = orders.get("/orders/1043/notes?reference=call-7").json()

    assert [first.status_code, second.status_code] == [201, 201]
    assert found == of_the_order == [first.json(), second.json()]
    assert orders.get("/orders/1044/notes?reference=call-7").json() == []
    assert orders.get("/notes?reference=call-8").json() == []
    assert len(orders.ledger("call-7")) == 2


def test_a_status_is_set_once_however_often_it_is_set(orders: Service) -> None:
    body: JsonValue = {"status": "replacement due"}

    answers = [orders.call("PUT", "/orders/1044/status", body).json() for _ in range(2)]
    rows = [row for row in orders.get("/ledger").json() if row["kind"] == "status"]

    assert [answer["status"] for answer in answers] == ["replacement due", "replacement due"]
    assert [row["body"] for row in rows] == [{"order_id": "1044", "status": "replacement due"}]


def test_a_tag_is_added_as_often_as_it_is_sent(orders: Service) -> None:
    for _ in range(2):
        orders.call("POST", "/orders/1045/tags", {"tag": "fragile"})

    rows = [row for row in orders.get("/ledger").json() if row["kind"] == "tag"]

    assert orders.get("/orders/1045").json()["tags"] == ["fragile", "fragile"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({**DAMAGED, "quantity": 0}, "quantity"),
        ({**DAMAGED, "quantity": "1"}, "quantity"),
        ({**DAMAGED, "quantity": 1.0}, "quantity"),
        ({**DAMAGED, "refund": True}, "refund"),
        ({"quantity": -1}, "reason"),
        ({**DAMAGED, "reason": "x" * 201}, "reason"),
        ([], "dictionary"),
    ],
)
def test_a_body_that_cannot_be_read_is_422_and_says_what_is_wrong(
    orders: Service, body: JsonValue, reason: str
) -> None:
    answer = orders.call("POST", "/stock/BOWL/write-offs", body)

    assert answer.status_code == 422
    assert answer.json()["code"] == "INVALID"
    assert reason in answer.json()["detail"]
