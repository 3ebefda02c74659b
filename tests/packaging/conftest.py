"""The images that the slow tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.packaging.images import APP, PAUSE, Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """``eve-sidecar`` and ``eve-redirect`` as they are shipped; ``eve-app`` and ``eve-pause`` to go with them."""
    made = Store(tmp_path_factory.mktemp("images"))
    try:
        made.base()
        made.build("etc/docker/Dockerfile", "eve-sidecar")
        made.build("etc/docker/redirect.Dockerfile", "eve-redirect")
        made.build_text(APP, "eve-app")
        made.build_text(PAUSE, "eve-pause")
        yield made
    finally:
        made.clean()
