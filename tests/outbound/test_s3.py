"""Signatures as Amazon's documentation works them out, of its example credentials."""

import datetime as dt

from console.outbound.s3 import Credentials, signed

EXAMPLE = Credentials("us-east-1", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = dt.datetime(2013, 5, 24, tzinfo=dt.UTC)


def signature(method: str, path: str, body: bytes = b"", **headers: str) -> str:
    url = f"https://examplebucket.s3.amazonaws.com{path}"
    return signed(method, url, body, EXAMPLE, at=AT, headers=headers)["Authorization"].rpartition("=")[2]


def test_it_signs_as_amazon_works_it_out() -> None:
    more = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    put = signature("PUT", "/test%24file.text", b"Welcome to Amazon S3.", **more)
    assert put == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    get = signature("GET", "/test.txt", Range="bytes=0-9")
    assert get == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
