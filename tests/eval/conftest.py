"""One headless Chromium for all pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with nothing of the user's, which may not go to the network by itself."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    webdriver = None
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        pass
    if program is None or driver is None or webdriver is None:
        missing = (
            "needs chromium, chromedriver (apt-get install chromium chromium-driver) and the package selenium"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI {missing}")
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(executable_path=driver))  # looks nothing up
    browser.set_script_timeout(10)
    yield browser
    browser.quit()
