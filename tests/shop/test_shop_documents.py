"""The services' documents are good enough to derive actions from, and the README tells the same."""

import ast
import re
import sys

import pytest
from the_shop import FOLDER, SERVICES, Service

OPERATIONS = {
    "orders": {
        "get_order": "GET /orders/{order_id}",
        "list_orders": "GET /orders",
        "get_stock": "GET /stock/{sku}",
        "create_write_off": "POST /stock/{sku}/write-offs",
        "create_note": "POST /orders/{order_id}/notes",
        "list_notes": "GET /orders/{order_id}/notes",
        "find_notes": "GET /notes",
        "set_status": "PUT /orders/{order_id}/status",
        "add_tag": "POST /orders/{order_id}/tags",
    },
    "pay_minor": {
        "create_charge": "POST /v1/charges",
        "get_charge": "GET /v1/charges/{charge}",
        "create_refund": "POST /v1/refunds",
        "get_refund": "GET /v1/refunds/{refund}",
    },
    "pay_decimal": {
        "create_payment": "POST /payments",
        "get_payment": "GET /payments/{payment}",
        "create_refund": "POST /payments/{payment}/refunds",
        "get_refund": "GET /payments/{payment}/refunds/{refund}",
    },
    "mail": {
        "find_messages": "GET /api/email",
        "get_message": "GET /api/email/{number}",
    },
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_document_has_the_promised_operations_and_no_controls(
    services: dict[str, Service], name: str
) -> None:
    document = services[name].get("/openapi.json").json()

    found = {
        operation["operationId"]: f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }

    assert found == OPERATIONS[name]


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_tells_its_answer_and_its_refusals(
    services: dict[str, Service], name: str
) -> None:
    document = services[name].get("/openapi.json").json()

    for item in document["paths"].values():
        for operation in item.values():
            responses = operation["responses"]
            schemas = {
                status: response["content"]["application/json"]["schema"]
                for status, response in responses.items()
            }
            told = [schema for status, schema in schemas.items() if status.startswith("2")]

            assert operation["description"]
            assert told
            assert all("$ref" in schema or schema["type"] == "array" for schema in told)
            assert any(status.startswith("4") for status in responses)
            assert "default" in responses
            assert "HTTPValidationError" not in str(schemas)


@pytest.mark.parametrize(
    ("name", "operation", "header"),
    [
        ("orders", "create_write_off", "Idempotency-Key"),
        ("pay_minor", "create_charge", "Idempotency-Key"),
        ("pay_minor", "create_refund", "Idempotency-Key"),
        ("pay_decimal", "create_payment", "X-Request-Key"),
        ("pay_decimal", "create_refund", "X-Request-Key"),
    ],
)
def test_the_header_of_the_key_is_documented(
    services: dict[str, Service], name: str, operation: str, header: str
) -> None:
    document = services[name].get("/openapi.json").json()
    method, path = OPERATIONS[name][operation].split()
    parameters = document["paths"][path][method.lower()]["parameters"]

    (found,) = [each for each in parameters if each["in"] == "header"]

    assert found["name"] == header
    assert "hours" in found["description"]


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("pay_minor", {"type": "http", "scheme": "bearer"}),
        ("pay_decimal", {"type": "apiKey", "in": "header", "name": "X-Api-Key"}),
    ],
)
def test_a_provider_documents_how_to_sign(
    services: dict[str, Service], name: str, scheme: dict[str, str]
) -> None:
    document = services[name].get("/openapi.json").json()

    (found,) = document["components"]["securitySchemes"].values()

    assert found == scheme


@pytest.mark.parametrize("name", SERVICES)
def test_the_readme_names_every_operation_with_its_path(name: str) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    for operation, request in OPERATIONS[name].items():
        assert f"`{operation}`" in readme
        assert f"`{request}" in readme


def test_the_shop_imports_nothing_but_its_own_files_and_what_serves_it() -> None:
    own = {path.stem for path in FOLDER.glob("*.py")}
    served_by = {"aiosmtpd", "fastapi", "pydantic", "starlette", "uvicorn"}
    imported = {
        name.split(".")[0]
        for path in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _names(node)
    }

    assert imported - set(sys.stdlib_module_names) <= own | served_by


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "."]
    return []


@pytest.mark.parametrize("name", SERVICES)
def test_a_path_that_nobody_serves_is_refused_in_the_services_own_words(
    services: dict[str, Service], name: str
) -> None:
    answer = services[name].get("/nowhere")

    assert answer.status_code == 404
    assert re.search(r"resource_missing|4040|NOT_FOUND|unknown", answer.text)
    assert "detail" not in answer.json() or name == "orders"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_healthy(services: dict[str, Service], name: str) -> None:
    assert services[name].get("/health").json() == {"status": "ok"}
