"""RabbitMQ for a run: one private broker on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from order_entry_project.embedded.processes import Child
from tests.ports import free_port
from tests.servers.binaries import installed

# The plugin that speaks AMQP 1.0 on the same port.
AMQP10 = "[rabbitmq_amqp1_0]."
_CONFIG = """\
listeners.tcp.default = 127.0.0.1:{port}
loopback_users = none
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
"""
# More of the configuration: over mutual TLS, where a certificate's common name may stand for a user.
MUTUAL_TLS = """
listeners.ssl.default = 127.0.0.1:{port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.pem
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name
"""
# The plugin for that.
BY_CERTIFICATE = "[rabbitmq_auth_mechanism_ssl]."


@dataclass(frozen=True)
class Broker:
    """The run's broker. Tests keep apart by queue names of their own."""

    port: int
    pid: int
    env: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def amqp10_url(self) -> str:
        """Where it has the plugin."""
        return f"amqp10://guest:guest@127.0.0.1:{self.port}"

    def ctl(self, *arguments: str) -> str:
        """The output of `rabbitmqctl`; raises with its complaint where it fails."""
        done = subprocess.run(
            [installed("rabbitmqctl", package="rabbitmq-server"), "--quiet", *arguments],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def add_user(self, name: str, password: str | None = None, *, configure: str = ".*") -> None:
        """One who may read and write everything; without a password a certificate is needed."""
        salt = os.urandom(4)
        digest = salt + hashlib.sha256(salt + password.encode()).digest() if password is not None else b""
        may = {"user": name, "vhost": "/", "configure": configure, "write": ".*", "read": ".*"}
        user = {"name": name, "password_hash": base64.b64encode(digest).decode(), "tags": []}
        # Of one file, because each call of rabbitmqctl starts a virtual machine.
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"users": [user], "permissions": [may]}, file)
            file.flush()
            self.ctl("import_definitions", file.name)


@contextmanager
def broker(folder: Path, *, more_config: str = "", plugins: str = "[].") -> Iterator[dict[str, object]]:
    """A running broker, as the arguments of `Broker`. `plugins`: an Erlang list."""
    binary = installed("rabbitmq-server", package="rabbitmq-server")
    home = folder / "rabbitmq"
    home.mkdir()
    port, epmd_port = free_port(), free_port()
    (home / "rabbitmq.conf").write_text(_CONFIG.format(port=port) + more_config)
    (home / "enabled_plugins").write_text(plugins)
    env = _environment(home, epmd_port)
    # epmd in the foreground, so that it ends with the run: Erlang would leave one behind as a daemon.
    epmd = [installed("epmd", package="erlang-base"), "-port", str(epmd_port), "-address", "127.0.0.1"]
    with Child.running(epmd, name="epmd", log=home / "epmd.log", stop=signal.SIGKILL) as port_mapper:
        port_mapper.await_port(epmd_port, patience=10)
        with Child.running(
            [binary], name="RabbitMQ", log=home / "log", env={**os.environ, **env}, stop=signal.SIGKILL
        ) as child:
            child.await_port(port, patience=60)
            yield {"port": port, "pid": child.pid, "env": env}


def _environment(home: Path, epmd_port: int) -> dict[str, str]:
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"test{os.getpid()}@localhost",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "absent"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # Makes the start script become the virtual machine, so that signals reach it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
