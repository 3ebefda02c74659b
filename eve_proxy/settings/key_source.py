"""Where the signing key comes from, and reading it again while the daemon runs (evidence.md, "Keys")."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from eve_proxy.interfaces import ISigner
from eve_proxy.settings.files import ReadFile
from eve_proxy.settings.files import read_file as read_real_file
from eve_proxy.settings.reading import digest
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import NotASigningKey, load_signer
from eve_proxy.signing.secret import NotASecret, secret_from_file

SECRET: Final = "JWT_SECRET_KEY"  # noqa: S105 - the variable's name
SECRET_FILE: Final = "JWT_SECRET_KEY_FILE"  # noqa: S105 - the variable's name
KEY_FILE: Final = "EVE_PROXY_SIGNING_KEY_FILE"


class UnusableKey(ValueError):
    """The file holds no key that can sign, or cannot be read. The message names variable and file, never content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRead:
    """What a key file held.

    :ivar variable: whose value it is; ``sha256`` is that of its ``settings.reading.Entry``.
    """

    signer: ISigner
    variable: str
    sha256: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """The variable that gives the key, and the file that it names.

    :ivar path: None when the secret itself is in the environment: then it cannot change while the process runs.
    """

    variable: str
    path: str | None

    def read(self, read_file: ReadFile = read_real_file) -> KeyRead | None:
        """The key in the file as it is now; None when there is no file.

        :raises UnusableKey: it cannot be read, or holds no key.
        """
        if self.path is None:
            return None
        try:
            content = read_file(self.path).data
            signer = signer_from(self.variable, content)
        except OSError as error:
            why = error.strerror or str(error)
            raise UnusableKey(f"{self.variable}: {self.path} cannot be read ({why})") from error
        except (NotASigningKey, NotASecret) as error:
            raise UnusableKey(f"{self.variable}: {self.path}: {error}") from error
        if self.variable == KEY_FILE:
            return KeyRead(signer=signer, variable=KEY_FILE, sha256=digest(os.fsencode(self.path), content))
        return KeyRead(signer=signer, variable=SECRET, sha256=digest(secret_from_file(content)))


def signer_from(variable: str, content: bytes) -> ISigner:
    """The signer in the content of the file that ``variable`` names.

    :raises NotASigningKey: no private key that can sign.
    :raises NotASecret: no shared secret.
    """
    return load_signer(content) if variable == KEY_FILE else HmacSigner(secret_from_file(content))
