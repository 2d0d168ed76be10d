"""All servers of the sandbox in one asyncio process, on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from syncengine.sandbox import haekka, hakuna, heavenhr, heiaheia, weekly10
from syncengine.sandbox.control import Control
from syncengine.sandbox.gate import Gate, Protocol
from syncengine.sandbox.world import Options, World

HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """Leaves the signals to ``serve``, since several servers share the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    Prints lines ``export NAME='value'`` for all vendors, then ``ready``. Raises OSError if a port is taken.
    """
    world = World(options)
    sockets = _listen(options.port, 1 + len(world.vendors))
    ports = [listener.getsockname()[1] for listener in sockets]
    urls = {
        name: f"http://{HOST}:{port}{vendor.prefix}"
        for (name, vendor), port in zip(world.vendors.items(), ports[1:], strict=True)
    }
    apps: list[ASGIApp] = [Control(world).app(), *(Gate(world, name) for name in world.vendors)]
    lines = _exports(options, f"http://{HOST}:{ports[0]}", urls)
    asyncio.run(_serve(apps, sockets, lines))


async def _serve(apps: list[ASGIApp], sockets: list[socket.socket], lines: list[str]) -> None:
    servers = [
        _Server(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                timeout_keep_alive=60,
            )
        )
        for app in apps
    ]

    def stop() -> None:
        for server in servers:
            server.should_exit = server.force_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    running = [
        asyncio.create_task(server.serve([listener]))
        for server, listener in zip(servers, sockets, strict=True)
    ]
    while not all(server.started for server in servers):
        await asyncio.sleep(0.01)
    print("\n".join([*lines, "ready"]), flush=True)
    await asyncio.gather(*running)


def _listen(port: int, count: int) -> list[socket.socket]:
    """``count`` listening sockets: from ``port`` upwards, or any free ones if it is 0."""
    sockets = []
    for place in range(count):
        # Only a socket that says TCP gets TCP_NODELAY from asyncio.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port + place if port else 0))
        sockets.append(listener)
    return sockets


def _exports(options: Options, control: str, urls: dict[str, str]) -> list[str]:
    values = {f"{name.upper()}_BASE_URL": url for name, url in urls.items()} | {
        "HEAVENHR_CLIENT_ID": heavenhr.CLIENT,
        "HEAVENHR_CLIENT_SECRET": heavenhr.SECRETS[heavenhr.CLIENT],
        "HAEKKA_API_KEY": haekka.KEY,
        "HAKUNA_TOKEN": hakuna.TOKEN,
        "HAKUNA_CALLS": str(options.calls),
        **{
            f"HEIAHEIA_{name.upper()}": heiaheia.LOGIN[name]
            for name in ("email", "magic_token", "client_id", "client_secret")
        },
        "WEEKLY10_USERNAME": weekly10.USERNAME,
        "WEEKLY10_PASSWORD": weekly10.PASSWORD,
        "HEIAHEIA_SIZE_CLASSES_AS": "repeated" if options.profile == "current" else "joined",
        "SYNCENGINE_MODE": "write",
        "SYNCENGINE_SANDBOX_URL": control,
    }
    return [f"export {name}='{value}'" for name, value in values.items()]
