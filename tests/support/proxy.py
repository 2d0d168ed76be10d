"""A proxy in front of a server, which can be made to hang: it keeps its connections and forwards nothing."""

from __future__ import annotations

import select
import socket
import threading
from typing import Self


class Proxy:
    """Forwards to a server, as a context."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._moves = threading.Event()
        self._moves.set()
        self._over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._moves.set()
        self._listener.close()

    def hang(self) -> None:
        """From now on nothing is forwarded."""
        self._moves.clear()

    def go_on(self) -> None:
        """Forward again, what was held back too."""
        self._moves.set()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while not self._over:
                for ready in select.select([client, server], [], [], 0.2)[0]:
                    self._moves.wait()
                    try:
                        data = ready.recv(65536)
                        (server if ready is client else client).sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
