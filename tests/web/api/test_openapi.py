"""The description is true: whatever schemathesis makes of it, the real app answers as described."""

from tests.web.site import Site
from web.api.table import OPERATIONS


async def test_every_operation_and_every_code_stands_in_the_description(site: Site) -> None:
    answer = await site.person().get("/demo/api/v1/openapi.json")
    found = await answer.json()
    assert (found["openapi"], found["servers"]) == ("3.1.0", [{"url": "/demo/api/v1"}])
    described = {op["operationId"] for path in found["paths"].values() for op in path.values()}
    assert described == {operation.name for operation in OPERATIONS}
