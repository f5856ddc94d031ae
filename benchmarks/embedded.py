"""The application on one web server or another: ``python -m benchmarks.embedded uvicorn|granian FOLDER``."""

import socket
import sys
from pathlib import Path

import uvicorn
import uvloop

from benchmarks.processes import OPERATIONS, PASSWORD
from milepost.app import Server
from milepost.log import configure_log
from milepost.operations import load_catalog
from milepost.serving import web_config
from milepost.settings import Settings


async def main(name: str, data: Path) -> None:
    """Serve until Ctrl-C."""
    sources = [str(OPERATIONS)]
    server = Server(Settings(data=data, toolbox=False), load_catalog(sources), sources)
    server.people.ensure_administrator("admin", PASSWORD)
    await server.start()
    application = server.application()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    try:
        if name == "uvicorn":
            print(f"uvicorn serves http://127.0.0.1:{port}/arcgis", flush=True)
            await uvicorn.Server(web_config(application)).serve(sockets=[listener])
        else:
            from granian.server.embed import Server as Granian  # type: ignore[import-not-found,unused-ignore]

            listener.close()
            web = Granian(application, port=port, interface="asgi", log_enabled=False, websockets=False)
            print(f"granian serves http://127.0.0.1:{port}/arcgis", flush=True)
            await web.serve()
    finally:
        await server.stop()


if __name__ == "__main__":
    configure_log("text")
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
