"""What several suites with network namespaces need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.crossing import Crossing, issue


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that any user may read, with chain.pem, key.pem and ca.pem."""
    folder = tmp_path_factory.mktemp("ca")
    folder.chmod(0o755)
    issue(folder)
    return folder


@pytest.fixture
def crossing(tmp_path: Path, authority: Path) -> Iterator[Crossing]:
    made = Crossing(tmp_path, authority / "chain.pem", authority / "key.pem")
    yield made
    made.close()
