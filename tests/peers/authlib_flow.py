"""Python's Authlib, unmodified, runs the whole cloud flow: python authlib_flow.py DEV_JSON"""

import html
import json
import re
import sys
import time
from urllib.parse import urljoin

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.common.security import generate_token


def authorise(browser, url, customer):
    """Follows the pages' forms until the application's address comes."""
    response = browser.get(url, allow_redirects=False)
    for _ in range(10):
        location = response.headers.get("location")
        if location:
            return location
        action, inner = re.search(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', response.text, re.S).groups()
        fields = {}
        for tag in re.findall(r"<(?:input|button)[^>]*>", inner):
            name = re.search(r'name="([^"]*)"', tag)
            value = re.search(r'value="([^"]*)"', tag)
            if name:
                fields[name.group(1)] = html.unescape(value.group(1)) if value else ""
        fields.update({name: customer[name] for name in ("user_id", "password") if name in fields})
        response = browser.post(urljoin(response.url, html.unescape(action)), data=fields, allow_redirects=False)
    raise AssertionError("the pages do not end")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        dev = json.load(file)
    ca = dev["listeners"]["desktop"]["ca_file"]
    oauth, customer = dev["oauth"], dev["customers"][0]
    client = next(one for one in dev["providers"][0]["clients"] if one["kind"] == "cloud")
    session = OAuth2Session(
        client["client_id"],
        client["client_secret"],
        scope="MYIR.Services",
        redirect_uri=client["redirect_uris"][0],
        token_endpoint_auth_method="client_secret_basic",
    )
    session.verify = ca
    session.trust_env = False
    verifier = generate_token(48)
    url, state = session.create_authorization_url(
        oauth["authorize"], code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256"
    )
    browser = requests.Session()
    browser.verify = ca
    browser.trust_env = False
    back = authorise(browser, url, customer)
    token = session.fetch_token(oauth["token"], authorization_response=back, state=state, code_verifier=verifier)
    assert token["expires_in"] == 28800, token["expires_in"]
    first = token["refresh_token"]
    token = session.refresh_token(oauth["token"], refresh_token=first)
    assert token["refresh_token"] != first
    known = session.introspect_token(oauth["introspect"], token=token["access_token"]).json()
    assert known["active"] and known["username"] == customer["user_id"], known
    answer = session.revoke_token(oauth["revoke"], token=token["refresh_token"], token_type_hint="refresh_token")
    assert answer.status_code == 200 and answer.content == b"", answer.text
    for _ in range(20):
        if not session.introspect_token(oauth["introspect"], token=token["access_token"]).json()["active"]:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("revoking a refresh token ends its family within a second")
    print("Authlib: ok")


main()
