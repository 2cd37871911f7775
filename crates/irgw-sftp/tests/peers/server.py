"""server.py LIBRARY HOST_KEY AUTHORIZED_KEYS FOLDER: an SFTP server of others on a free port, which it prints; it ends with its input."""

import os
import socket
import sys
import threading

library, host_key, authorized, folder = sys.argv[1:]


def with_asyncssh():
    import asyncio

    import asyncssh

    async def serve():
        acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=authorized,
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
        )
        print(acceptor.get_port(), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(serve())


def with_paramiko():
    import paramiko

    admitted = paramiko.PublicBlob.from_string(open(authorized).read().strip()).key_blob

    class Keys(paramiko.ServerInterface):
        def check_auth_publickey(self, username, key):
            return paramiko.AUTH_SUCCESSFUL if key.asbytes() == admitted else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, number):
            return paramiko.OPEN_SUCCEEDED

        def get_allowed_auths(self, username):
            return "publickey"

    def failed(error):
        return paramiko.SFTPServer.convert_errno(error.errno)

    class Files(paramiko.SFTPServerInterface):
        def place(self, path):
            return folder + self.canonicalize(path)

        def list_folder(self, path):
            names = os.listdir(self.place(path))
            return [paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(self.place(path), n)), n) for n in names]

        def lstat(self, path):
            try:
                return paramiko.SFTPAttributes.from_stat(os.lstat(self.place(path)))
            except OSError as error:
                return failed(error)

        stat = lstat

        def open(self, path, flags, attributes):
            try:
                descriptor = os.open(self.place(path), flags, 0o600)
            except OSError as error:
                return failed(error)
            handle = paramiko.SFTPHandle(flags)
            mode = "rb+" if flags & os.O_RDWR else "wb" if flags & os.O_WRONLY else "rb"
            handle.readfile = handle.writefile = os.fdopen(descriptor, mode)
            handle.stat = lambda: paramiko.SFTPAttributes.from_stat(os.fstat(descriptor))
            return handle

        def remove(self, path):
            try:
                os.remove(self.place(path))
            except OSError as error:
                return failed(error)
            return paramiko.SFTP_OK

        def rename(self, old, new):
            if os.path.exists(self.place(new)):
                return paramiko.SFTP_FAILURE
            os.rename(self.place(old), self.place(new))
            return paramiko.SFTP_OK

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            connection, _ = listener.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(paramiko.ECDSAKey.from_private_key_file(host_key))
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            transport.start_server(server=Keys())

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if library == "paramiko":
    with_paramiko()
else:
    with_asyncssh()
