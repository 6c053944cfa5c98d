"""TLS on the way out: the certificate must be good for the name, and connections are kept as without it."""

import asyncio
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console import outbound
from console.core.errors import ProviderError
from console.outbound import pool
from tests.outbound.test_hostile import DEADLINES, ask, plain, serving


def certificate(folder, *, address="127.0.0.1"):
    """Make a certificate that signs itself and return the files of its key and of itself."""
    key, moment = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment - dt.timedelta(days=1))
        .not_valid_after(moment + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_context(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """A certificate for the loopback address that the client trusts."""
    path = certificate(tmp_path)
    monkeypatch.setattr(pool, "_tls", lambda: ssl.create_default_context(cafile=str(path)))
    return path


async def test_it_keeps_connections_with_tls(trusted):
    async with serving(plain(b"one"), plain(b"x" * 700_000), plain(b"three"), tls=server_context(trusted)) as made:
        url, connections = made
        assert await ask(url) == (200, b"one")
        assert len((await ask(url))[1]) == 700_000
        assert await ask(url) == (200, b"three") and connections == [3]


async def test_leaving_early_closes_it_with_tls(trusted):
    async with serving(plain(b"x" * 5_000_000), plain(b"two"), tls=server_context(trusted)) as (url, connections):
        reply = await outbound.request("POST", url, headers={}, body=b"{}", deadlines=DEADLINES)
        assert await reply.chunk()
        reply.close()
        assert await ask(url) == (200, b"two") and connections == [1, 1]


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path):
    async with serving(plain(b"secret"), tls=server_context(certificate(tmp_path))) as (url, connections):
        with pytest.raises(ProviderError) as caught:
            await ask(url)
        assert caught.value.code == "upstream_tls" and sum(connections) == 0, "nothing was sent"


async def test_a_certificate_for_another_address_is_refused(tmp_path, monkeypatch):
    path = certificate(tmp_path, address="127.0.0.2")
    monkeypatch.setattr(pool, "_tls", lambda: ssl.create_default_context(cafile=str(path)))
    async with serving(plain(b"secret"), tls=server_context(path)) as (url, connections):
        with pytest.raises(ProviderError) as caught:
            await ask(url)
        assert caught.value.code == "upstream_tls" and sum(connections) == 0


def test_it_works_on_the_loop_of_production(trusted):
    import uvloop

    async def run():
        async with serving(plain(b"one"), plain(b"x" * 700_000), tls=server_context(trusted)) as (url, connections):
            assert await ask(url) == (200, b"one")
            assert len((await ask(url))[1]) == 700_000 and connections == [2]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
