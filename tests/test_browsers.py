"""Tests how the tests ask pages: what a page evaluates more than once must be a function."""

import ast
import re
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser

ROOT = Path(__file__).resolve().parents[1]
FUNCTION = re.compile(r"\s*(async\s+)?(\([^)]*\)|\w+)\s*=>")
"""How an arrow function of JavaScript begins."""


def waits(source: str) -> list[str]:
    """Return what the calls of `wait_for_function` in a Python source wait for, as JavaScript."""
    tree = ast.parse(source)
    texts = {
        target.id: ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    asked = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "wait_for_function"
    ]
    return [texts.get(one.id, "") if isinstance(one, ast.Name) else ast.unparse(one) for one in asked]


def test_every_wait_in_a_page_is_for_a_function() -> None:
    """Playwright evaluates the text of an expression again for each look. Our pages' Content-Security-Policy
    refuses this from the second look on, so such a wait fails if it must wait.
    """
    found = {
        path.relative_to(ROOT).as_posix(): wrong
        for path in ROOT.glob("tests/**/*.py")
        if (
            wrong := [
                text for text in waits(path.read_text("utf-8")) if not FUNCTION.match(text.lstrip("f'\""))
            ]
        )
    }
    assert not found


def test_a_wait_for_an_expression_is_found() -> None:
    source = (
        "SHOWN = 'shown > 1'\npage.wait_for_function(SHOWN)\npage.wait_for_function('(n) => n > 1', arg=2)"
    )
    assert [bool(FUNCTION.match(text.strip("'"))) for text in waits(source)] == [False, True]


async def test_a_page_with_our_policy_can_be_asked_a_function_until_it_is_true(browser: Browser) -> None:
    async def page_with_policy(_: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": "script-src 'self'"}
        return web.Response(text="<p>", content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", page_with_policy)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        page = await browser.new_page()
        await page.goto(site.name.replace(":0", f":{runner.addresses[0][1]}"))
        await page.evaluate("() => { window.asked = 0; }")
        await page.wait_for_function("() => ++window.asked > 3")
        await page.close()
    finally:
        await runner.cleanup()
