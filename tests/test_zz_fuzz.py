import itertools, re
import pytest
from django.test import Client
from django.urls import get_resolver
from tests import make
from tests.test_api_routes import *
WEIRD = ["", "\x00", "a\x00b", "-1", "0", "999999999999999999999999", "١٢", "1e9", "NaN", "null", "[]", "{}", "é"*300, "'", "%", "\ud800".encode("utf-8","surrogatepass").decode("latin-1"), "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00-14:00", "0001-01-01", "10000-01-01", "2026-11-26T24:00:00Z","1969-12-31T23:59:59Z", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "=1", "a"*5000, "$1", "%s"]
NAMES = ["after","limit","since","until","team","q","cursor","before","sort","order","status","alias","key","actor","environment","kind","type","window","period","group","by","days","state","model","prompt","agent","format","columns","from","to","page","search","metric","provider","version","label","number","user","owner","source","where","stale","range","at", "older_than", "newer_than","min_cost","action","target","request_id","conversation","surface","redacted","content"]
def paths():
    from django.urls.resolvers import URLPattern, URLResolver
    def walk(res, prefix=""):
        for p in res.url_patterns:
            if isinstance(p, URLResolver): yield from walk(p, prefix+str(p.pattern))
            else: yield prefix+str(p.pattern)
    for p in walk(get_resolver()):
        if "<" not in p and not p.startswith(("^","accounts","admin","static")): yield "/"+p
def test_fuzz(cast):
    import io, traceback
    c = Client(raise_request_exception=False)
    c.force_login(cast.olga, backend="allauth.account.auth_backends.AuthenticationBackend")
    bad = []
    n=0
    for p in sorted(set(paths())):
        r = c.get(p)
        if r.status_code in (405,404): continue
        # which names change?
        for w in WEIRD:
            n+=1
            r = c.get(p, {name: w for name in NAMES})
            if r.status_code >= 500: bad.append((p, "ALL", w[:30], r.status_code))
        for name in NAMES:
            for w in ("\x00", "999999999999999999999999", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00+14:00", "é"*300):
                n+=1
                r = c.get(p, {name: w})
                if r.status_code >= 500: bad.append((p, name, w[:30], r.status_code))
    print("N", n)
    for b in bad: print("BAD", b)
