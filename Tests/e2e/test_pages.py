"""Every page of the console and of the sandbox opens without an error in a real browser. What exactly is looked at says
Tests/console/smoke.py; screenshots are left in artifacts/.
"""

import shutil
import subprocess
import sys

import pytest

from harness import REPOSITORY

SMOKE = REPOSITORY / "Tests" / "console" / "smoke.py"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(not BROWSER, reason="chromium is not installed")
def test_pages_open_without_errors(muster, sandbox):
    run = subprocess.run(
        [sys.executable, str(SMOKE), muster.url, "--braze", sandbox.url, "--key", sandbox.key, "--browser", BROWSER,
         "--out", str(REPOSITORY / "artifacts" / "console")],
        timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(run.stdout)
    assert run.returncode == 0, run.stdout


@pytest.mark.skipif(not BROWSER, reason="chromium is not installed")
def test_sandbox_pages_open_without_errors(sandbox):
    from playwright.sync_api import sync_playwright

    problems = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(f"{request.url}: {request.failure}"))
        page.goto(sandbox.url, wait_until="networkidle")
        links = page.eval_on_selector_all("nav a[href]", "all => all.map(link => link.href)")
        assert len(links) >= 3, links
        out = REPOSITORY / "artifacts" / "sandbox"
        out.mkdir(parents=True, exist_ok=True)
        for number, link in enumerate(dict.fromkeys(links)):
            page.goto(link, wait_until="networkidle")
            assert page.inner_text("body").strip(), link
            page.screenshot(path=str(out / f"page-{number}.png"), full_page=True)
        browser.close()
    assert not problems, problems
