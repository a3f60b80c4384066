#!/usr/bin/env python3
"""Reads the vectors in this directory with nothing but docs/format.md: an independent check of the specification.

Needs `cryptography` and `blake3` from PyPI. Says what differs from manifest.json, and exits 0 if nothing does.
"""

import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HERE = Path(__file__).parent
CHUNK, TAG, HEAD = 16384, 16, 56


class Refused(Exception):
    """The argument is the class."""


def need(condition, what="Unauthentic"):
    if not condition:
        raise Refused(what)


# --- Primitives ---

def expand(key, info, length):
    return HKDFExpand(hashes.SHA512(), length, info).derive(key)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def verify(key, label, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, label + message)
    except (InvalidSignature, ValueError):
        raise Refused("Unauthentic")


def cobblestone_open(key, context, sealed):
    need(len(sealed) >= HEAD + TAG)
    salt, commitment, chunks = sealed[:24], sealed[24:56], sealed[56:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = expand(key, info, 76)
    need(hmac.compare_digest(derived[44:], commitment))
    need(len(chunks) % (CHUNK + TAG) >= TAG)
    plain, nonce = b"", int.from_bytes(derived[32:44], "big")
    for number in range(len(chunks) // (CHUNK + TAG) + 1):
        chunk = chunks[number * (CHUNK + TAG):(number + 1) * (CHUNK + TAG)]
        try:
            plain += AESGCM(derived[:32]).decrypt((nonce ^ number).to_bytes(12, "big"), chunk, None)
        except InvalidTag:
            raise Refused("Unauthentic")
    return plain


def sealed_len(plain):
    return HEAD + plain + TAG * (plain // CHUNK + 1)


# --- Deterministic CBOR ---

class Cbor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data))
        self.at += count
        return self.data[self.at - count:self.at]

    def item(self):
        major, low = divmod(self.take(1)[0], 32)
        if major == 7:
            need(low in (20, 21, 22))
            return {20: False, 21: True, 22: None}[low]
        need(low < 28)
        value = low
        if low >= 24:
            size = 1 << (low - 24)
            value = int.from_bytes(self.take(size), "big")
            need(value >= (24 if size == 1 else 1 << (4 * size)))
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            try:
                return self.take(value).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("Unauthentic")
        if major == 4:
            return [self.item() for _ in range(value)]
        need(major == 5)
        pairs, last = {}, b""
        for _ in range(value):
            start = self.at
            key = self.item()
            encoded = self.data[start:self.at]
            need(encoded > last)
            last, pairs[key] = encoded, self.item()
        return pairs


def cbor(data):
    reader = Cbor(data)
    value = reader.item()
    need(reader.at == len(data))
    return value


# --- Rules of the statement ---

def padme(length):
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    low = max(exponent - exponent.bit_length(), 0)
    return (length + (1 << low) - 1) >> low << low


REQUIRED = set(range(1, 14)) | {17, 19, 21, 22}
TYPES = {1: str, 2: 16, 3: 16, 4: 32, 5: 32, 6: 16, 7: str, 8: dict, 9: 32, 10: int, 11: int, 12: int, 13: int,
         14: bool, 15: str, 16: str, 17: 56, 18: 32, 19: int, 20: int, 21: list, 22: list, 23: list}
KINDS = ["file", "directory", "symlink", "tombstone", "roster", "manifest"]


def has_type(value, expected):
    if isinstance(expected, int):
        return isinstance(value, bytes) and len(value) == expected
    return type(value) is expected


def statement(data):
    need(len(data) <= 65535)
    s = cbor(data)
    need(type(s) is dict)
    if type(s.get(10)) is int and s[10] > 5:
        raise Refused("NewerVersion")
    need(REQUIRED <= set(s) <= set(TYPES) and all(has_type(s[key], TYPES[key]) for key in s))
    kind = s[10]
    name = s[1].encode()
    need(1 <= len(name) <= 255 and s[1] not in (".", "..") and not set(name) & set(b"/\\\0"))
    need(len(s[7].encode()) <= 64 and len(s.get(16, "").encode()) <= 4096 and len(s[8]) <= 1024)
    need(all(has_type(d, 16) and type(c) is int and 0 < c < 1 << 64 for d, c in s[8].items()))
    for dot in (s[21], s[22]):
        need(len(dot) == 2 and has_type(dot[0], 16) and type(dot[1]) is int)
        need(0 < dot[1] <= s[8].get(dot[0], 0))
    need(all(-(1 << 63) <= s[key] < 1 << 63 for key in (12, 13)))
    need((14 in s) == (kind == 0) and (15 in s) == (kind == 2) and (20 in s) == (kind == 3))
    need(15 not in s or (1 <= len(s[15].encode()) <= 4096 and "\0" not in s[15]))
    need(23 not in s or (kind == 0 and len(s[23]) == 2))
    need(20 not in s or s[20] in (0, 1, 2))
    need(0 <= s[11] <= 1 << 46)
    if kind in (0, 4, 5):
        need(18 in s and s[11] <= s[19] <= padme(s[11]))
    else:
        need(s[19] == 0 and (s.get(20) == 0 or (s[11] == 0 and 18 not in s)))
    return s


# --- The file ---

class File:
    def __init__(self, data, keys):
        need(not data or data[:8] == b"\x89ENS\r\n\x1a\n"[:len(data)], "NotEnsafer")
        need(len(data) >= 80, "TooShort")
        version, suite, access_len, info_len, flags = struct.unpack(">HHIII", data[8:24])
        need((version, suite) == (1, 1) and flags < 2, "NewerVersion")
        need(access_len <= 1 << 20 and info_len <= 128 << 10 and data[44:48] == bytes(4), "NotEnsafer")
        self.id, self.key_epoch, self.roster = data[24:40], data[40:44], flags == 1
        header_len = 80 + access_len + info_len
        need(len(data) >= header_len + HEAD, "TooShort")
        access, info = data[80:80 + access_len], data[80 + access_len:header_len]
        self.envelopes = self.parse_access(access)
        fk, self.folder_key_name = keys.file_key(self)
        derived = expand(fk, b"ensafer/v1/keys\0" + self.id + self.key_epoch, 96)
        mac = hmac.new(derived[:32], data[:48] + access + info, hashlib.sha256).digest()
        need(hmac.compare_digest(mac, data[48:80]))
        self.binding = data[8:12] + data[20:44]
        self.open_info(cobblestone_open(derived[32:64], self.binding, info), header_len)
        need(self.s[17] == data[header_len:header_len + HEAD])
        self.check_place()
        padded_len = self.s[19]
        total = header_len + HEAD + padded_len + TAG * (padded_len // CHUNK + 1)
        assert total == header_len + sealed_len(padded_len)
        need(len(data) >= total, "TooShort")
        need(len(data) == total)
        context = data[10:12] + self.id + self.key_epoch
        content = cobblestone_open(derived[64:], context, data[header_len:])
        size = self.s[11] if self.s[10] in (0, 4, 5) else 0
        need(len(content) == padded_len and not any(content[size:]))
        self.content = content[:size]
        self.digest = blake3(self.content).digest()
        need(self.s[10] not in (0, 4, 5) or self.digest == self.s[18])

    def parse_access(self, data):
        need(len(data) >= 2, "NotEnsafer")
        count, at, found = int.from_bytes(data[:2], "big"), 2, []
        need(count <= 1024, "NotEnsafer")
        sizes = {1: 384, 2: 384, 5: 156, 6: 436, 7: 156}
        for _ in range(count):
            need(at + 12 <= len(data), "NotEnsafer")
            kind, flags, length = struct.unpack(">BBH", data[at:at + 4])
            body = data[at + 12:at + 12 + length]
            need(len(body) == length and sizes.get(kind, length) == length, "NotEnsafer")
            found.append((kind, flags, data[at + 4:at + 12], body))
            at += 12 + length
        need(at == len(data), "NotEnsafer")
        return found

    def of(self, kind):
        return [(hint, body) for k, flags, hint, body in self.envelopes if k == kind and flags == 0]

    def open_info(self, plain, header_len):
        reader = Cbor(plain)
        info = reader.item()
        need(type(info) is list and len(info) == 5)
        signed, signature, access, access_sig, _checkpoint = info
        unit = 4096 if self.signed(signed, signature)[19] >= 1 << 20 else 256
        self.s, self.hash = self.signed(signed, signature), self.signed_hash(signed)
        need(not any(plain[reader.at:]))
        # The fewest zeros with which the header has whole units.
        before = header_len - sealed_len(len(plain))
        need(header_len % unit == 0)
        need(all((before + sealed_len(shorter)) % unit for shorter in range(reader.at, len(plain))))
        self.origin = None
        if 23 in self.s:
            self.origin = self.signed(*self.s[23])
            same = all(self.origin.get(key) == self.s.get(key) for key in (3, 10, 11, 17, 18, 19))
            need(same and 23 not in self.origin and self.origin[5] != self.s[5])
        need((access is None) == (access_sig is None))
        self.recipients = []
        if access is not None:
            listed = cbor(access)
            need(type(listed) is dict and set(listed) == {1, 2, 3})
            scope = b"\0\1\0\1" + self.id + self.key_epoch + u16(len(access)) + access
            verify(listed[3], b"ensafer/v1/access\0", scope, access_sig)
            need(listed[2] == sorted(listed[2]))
            self.recipients = listed[2]

    def message(self, signed):
        return self.binding + u16(len(signed)) + signed

    def signed(self, signed, signature):
        fields = statement(signed)
        verify(fields[5], b"ensafer/v1/content\0", self.message(signed), signature)
        return fields

    def signed_hash(self, signed):
        return blake3(b"ensafer/v1/content\0" + self.message(signed)).digest()

    def check_place(self):
        need(self.folder_key_name is None or self.folder_key_name[:16] == self.s[3])
        need(self.roster == (self.s[10] == 4))
        if self.roster:
            need(self.id == self.s[3] == self.s[2] and all(e[0] in (6, 7) for e in self.envelopes))
        else:
            need(self.id not in (self.s[2], self.s[3]))

    def unlisted(self):
        hints = set()
        for kind, identity in self.recipients:
            scope = b"ensafer/v1/hint\0" + self.id + self.key_epoch + identity
            hints.add((kind, sha256(scope)[:8] if kind in (1, 2) else identity[:8]))
        return [kind for kind, _, hint, _ in self.envelopes
                if kind not in (5, 6) and not self.roster and (kind, hint) not in hints
                and not (kind == 0x7F and self.recipients)]


# --- Keys ---

class Account:
    """An RSA key and the folder keys that it has opened. With `only`, other folders are foreign."""

    def __init__(self, path, only=None):
        self.key = serialization.load_der_private_key(path.read_bytes(), None)
        self.spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.folder_keys, self.only = {}, only

    def unwrap(self, label, wrapped):
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label.encode())
        try:
            return self.key.decrypt(wrapped, oaep)
        except ValueError:
            raise Refused("Unauthentic")

    def hint(self, scope):
        return sha256(b"ensafer/v1/hint\0", scope, sha256(self.spki))[:8]

    def folder_key(self, name, file):
        if name in self.folder_keys or self.only:
            return self.folder_keys.get(name)
        for hint, body in file.of(6):
            if body[:52] == name and hint == self.hint(name[:20]):
                bound = sha256(u16(1), name, u16(len(self.spki)), self.spki).hex()
                key = self.unwrap("ensafer/v1/member/" + bound, body[52:])
                need(key_id(key, name) == name[20:])
                self.folder_keys[name] = key
                return key
        return None

    def file_key(self, file):
        if file.roster:
            need(not self.only or file.id == self.only, "Foreign")
            for _, body in file.of(6):
                key = self.folder_key(body[:52], file)
                if body[:20] == file.id + file.key_epoch and key:
                    return expand(key, b"ensafer/v1/roster\0" + body[:20], 32), body[:52]
            raise Refused("NotARecipient")
        foreign = None
        for _, body in file.of(5):
            if self.only and body[:16] != self.only:
                foreign = "Foreign"
                continue
            key = self.folder_key(body[:52], file)
            if key:
                return cobblestone_open(key, body[:52] + file.id + file.key_epoch, body[52:]), body[:52]
        for hint, body in file.of(1):
            if not self.only and hint == self.hint(file.id + file.key_epoch):
                bound = sha256(u16(1), file.id, file.key_epoch, u16(len(self.spki)), self.spki).hex()
                return self.unwrap("ensafer/v1/envelope/" + bound, body), None
        raise Refused(foreign or "NotARecipient")


def key_id(key, name):
    return expand(key, b"ensafer/v1/folder-key-id\0" + name[:20], 32)


# --- The roster ---

def bundle(pair):
    fields = cbor(pair[0])
    need(set(fields) == set(range(7)) and fields[0] == 1)
    verify(fields[3], b"ensafer/v1/bundle\0", pair[0], pair[1])
    return fields


def entry_message(data):
    return b"ensafer/v1/roster-entry\0" + u16(len(data)) + data


def roster(file):
    """A roster without branches, which is all that the vectors have."""
    log, old_keys = cbor(file.content)
    members, epochs, head = {}, [], None
    for seq, (data, signature) in enumerate(log):
        e = cbor(data)
        verify(e[10], b"", entry_message(data), signature)
        need(e[1] == file.id and e[2] == seq and e[3] == ([head] if head else []))
        head = blake3(entry_message(data)).digest()
        operation = e[4]
        if operation == 1:
            need(seq == 0 and sha256(b"ensafer/v1/folder\0", e[10], e[11])[:16] == file.id)
            owner = e[10]
            need(bundle(e[5])[3] == owner)
            members[owner] = 4
        need(members[e[10]] >= 3)
        if operation == 2:
            members[bundle(e[5])[3]] = e[7]
        if operation == 3:
            del members[e[6]]
        if operation == 4:
            members[e[6]] = e[7]
        if operation in (1, 5):
            need(e[8] == len(epochs) + 1)
            epochs.append(e[9])
    newest = file.folder_key_name
    need(newest == file.id + u32(len(epochs)) + epochs[-1])
    keys = {}
    for epoch, identity, sealed in old_keys:
        name = file.id + u32(epoch) + identity
        context = b"ensafer/v1/old-key\0" + newest + name
        keys[name] = cobblestone_open(file.keys.folder_keys[newest], context, sealed)
        need(key_id(keys[name], name) == identity == epochs[epoch - 1])
    roster_head = blake3(b"ensafer/v1/roster-head\0" + head).digest()
    need(roster_head == file.s[9])
    return members, sha256(b"ensafer/v1/identity\0", owner), roster_head, keys


def main():
    manifest = json.loads((HERE / "manifest.json").read_text())
    keys = HERE.parent / "keys"
    alice = Account(keys / "test-only-alice-envelope.pkcs8.der")
    file = File((HERE / "good-roster.ensafer").read_bytes(), alice)
    file.keys = alice
    members, owner, head, old_keys = roster(file)
    wrong = []
    if (owner.hex(), head.hex(), file.id.hex()) != (manifest["owner"], manifest["roster_head"], manifest["folder"]):
        wrong.append("roster")
    synced = Account(keys / "test-only-alice-envelope.pkcs8.der", only=file.id)
    synced.folder_keys = {**alice.folder_keys, **old_keys}

    def read(name, account):
        found = File((HERE / name).read_bytes(), account)
        need(found.s[4] == owner and members.get(found.s[5], 0) >= 2, "UnknownSigner")
        return found

    for expected in manifest["good"]:
        try:
            # Bob knows nothing yet, and reads `shared` by its envelope of type 1.
            bob = Account(keys / "test-only-bob-envelope.pkcs8.der")
            for account in (synced, alice, bob):
                f = read(expected["file"], account)
            s = f.s
            digest = s[18].hex() if 18 in s else None
            found = (f.id.hex(), int.from_bytes(f.key_epoch, "big"), KINDS[s[10]], s[1], s.get(15), s.get(16), s[11],
                     s[19], s[12], s[13], s.get(14, False), digest, f.digest.hex(), f.hash.hex(),
                     f.origin and sha256(b"ensafer/v1/identity\0", f.origin[5]).hex(), len(f.recipients), f.unlisted())
            names = ("file_id", "key_epoch", "kind", "name", "target", "description", "size", "padded_len", "modified",
                     "created", "executable", "content_digest", "content_blake3", "statement_hash", "origin_writer",
                     "recipients", "unlisted")
            for name, value in zip(names, found):
                if expected[name] != value:
                    wrong.append(f"{expected['file']}: {name} is {value!r}, expected {expected[name]!r}")
        except Refused as refused:
            wrong.append(f"{expected['file']}: refused as {refused}")
    for expected in manifest["bad"]:
        try:
            read(expected["file"], synced)
            found = "read"
        except Refused as refused:
            found = str(refused)
        if found != expected["class"]:
            wrong.append(f"{expected['file']}: {found}, expected {expected['class']}")
    print("\n".join(wrong) or f"{len(manifest['good'])} good and {len(manifest['bad'])} bad files are as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
