"""Operations that reach more definitions together than those of any real document are left out."""

from connector_cases import document, operation

from connectors.openapi.compiled import Compiled, read, written
from connectors.openapi.extract import extract
from connectors.openapi.gaps import Gap
from connectors.spec import JsonObject


def chained(length: int) -> JsonObject:
    """Each of so many operations answers with a definition that leads to all that come after it."""
    schemas: JsonObject = {
        f"D{at}": {"properties": {"next": {"$ref": f"#/components/schemas/D{at + 1}"}}}
        for at in range(length)
    }
    schemas[f"D{length}"] = {"type": "string"}
    paths: JsonObject = {}
    for at in range(length):
        schema: JsonObject = {"$ref": f"#/components/schemas/D{at}"}
        answer: JsonObject = {"200": {"content": {"application/json": {"schema": schema}}}}
        paths[f"/{at}"] = {"get": operation(f"get_{at}", responses=answer)}
    return document(paths, components={"schemas": schemas})


def test_a_document_of_chains_costs_no_more_than_so_many_definitions() -> None:
    found = extract(chained(1_500))
    reached = [len(each.output.schema["$defs"]) for each in found.operations if each.output.schema]  # type: ignore[arg-type]  # an object

    assert 300 <= len(found.operations) < 1_500
    assert sum(reached) <= 500_000
    assert {each.reason for each in found.skipped} == {Gap.REACH.value}
    assert len(found.skipped) + len(found.operations) == 1_500


def test_who_reaches_what_another_has_reached_costs_nothing() -> None:
    long = chained(400)
    paths = long["paths"]
    assert isinstance(paths, dict)
    again = {f"/again/{at}": paths["/0"] for at in range(5_000)}

    found = extract({**long, "paths": {**paths, **again}})

    assert (len(found.operations), found.skipped) == (5_400, ())


def test_what_is_kept_of_many_sets_of_definitions_is_what_was_extracted() -> None:
    kept = Compiled("d", "0", 1.0, 48, extract(chained(60)))

    assert read(written(kept)) == kept
