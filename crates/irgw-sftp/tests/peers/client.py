"""client.py LIBRARY HOST PORT USER KEY: an upload, a rename, a listing, a download and a refusal, by a client of others."""

import asyncio
import os
import sys

library, host, port, user, key = sys.argv[1:]
NAME = "DAILY_PROVIDER_1500131086_0_201908220914455213_NZT.zip.pgp"
CONTENT = os.urandom(1 << 20)


def with_paramiko():
    import paramiko

    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(host, int(port), user, key_filename=key, allow_agent=False, look_for_keys=False, timeout=10)
    sftp = client.open_sftp()
    with sftp.open(NAME + ".part", "wb") as file:
        file.write(CONTENT)
    sftp.rename(NAME + ".part", NAME)
    assert sftp.stat(NAME).st_size == len(CONTENT)
    assert NAME in sftp.listdir(".")
    with sftp.open(NAME, "rb") as file:
        assert file.read() == CONTENT
    try:
        sftp.remove(NAME)
    except PermissionError:
        client.close()
        return
    raise AssertionError("the file could be removed")


async def with_asyncssh():
    import asyncssh

    options = dict(username=user, client_keys=[key], known_hosts=None, agent_path=None)
    async with asyncssh.connect(host, int(port), **options) as client:
        async with client.start_sftp_client() as sftp:
            async with sftp.open(NAME + ".part", "wb") as file:
                await file.write(CONTENT)
            await sftp.rename(NAME + ".part", NAME)
            assert (await sftp.stat(NAME)).size == len(CONTENT)
            assert NAME in await sftp.listdir(".")
            async with sftp.open(NAME, "rb") as file:
                assert await file.read() == CONTENT
            try:
                await sftp.remove(NAME)
            except asyncssh.SFTPPermissionDenied:
                return
            raise AssertionError("the file could be removed")


if library == "paramiko":
    with_paramiko()
else:
    asyncio.run(with_asyncssh())
