#!/usr/bin/env python3
"""Reads the vectors in this directory with nothing but docs/format.md, as ../format-v1/read.py reads its own.

Needs `cryptography` and `blake3` from PyPI. Says what differs from manifest.json, and exits 0 if nothing does.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "format-v1"))

from read import Account, Cbor, File, Refused, cbor, need, sha256  # noqa: E402

NONE = bytes(16)


class Alone(File):
    """A file of no folder: its writer is its owner, and has signed who may read it."""

    def open_info(self, plain, header_len):
        super().open_info(plain, header_len)
        listed = Cbor(plain).item()[2]
        need(listed is not None)
        self.list = cbor(listed)
        s = self.s
        need(s[3] == s[2] == NONE and s[10] == 0 and s[9] == bytes(32) and 23 not in s)
        need(s[4] == sha256(b"ensafer/v1/identity\0", s[5]) and self.list[3] == s[5])
        need(self.folder_key_name is None)

    def hints(self):
        scope = b"ensafer/v1/hint\0" + self.id + self.key_epoch
        return [(kind, sha256(scope + identity)[:8]) for kind, identity in self.recipients]

    def unlisted(self):
        return [kind for kind, _, hint, _ in self.envelopes if (kind, hint) not in self.hints() and kind != 0x7F]

    def missing(self):
        return sum((kind, hint) not in [(e[0], e[2]) for e in self.envelopes] for kind, hint in self.hints())


def main():
    manifest = json.loads((HERE / "manifest.json").read_text())
    bob = Account(HERE.parent / "keys" / "test-only-bob-envelope.pkcs8.der")
    wrong = []
    for expected in manifest["good"]:
        try:
            f = Alone((HERE / expected["file"]).read_bytes(), bob)
            s = f.s
            found = {
                "file": expected["file"], "file_id": f.id.hex(), "key_epoch": int.from_bytes(f.key_epoch, "big"),
                "name": s[1], "size": s[11], "padded_len": s[19], "modified": s[12], "created": s[13],
                "executable": s[14], "content_blake3": f.digest.hex(), "statement_hash": f.hash.hex(),
                "signer": s[4].hex(), "access_seq": f.list[1], "recipients": [r[1].hex() for r in f.recipients],
                "unlisted": f.unlisted(), "missing": f.missing(),
            }
            if found != expected:
                wrong.append(f"{expected['file']}: {found}, expected {expected}")
        except Refused as refused:
            wrong.append(f"{expected['file']}: refused as {refused}")
    for expected in manifest["bad"]:
        try:
            Alone((HERE / expected["file"]).read_bytes(), bob)
            found = "read"
        except Refused as refused:
            found = str(refused)
        if found != expected["class"]:
            wrong.append(f"{expected['file']}: {found}, expected {expected['class']}")
    print("\n".join(wrong) or f"{len(manifest['good'])} good and {len(manifest['bad'])} bad files are as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
