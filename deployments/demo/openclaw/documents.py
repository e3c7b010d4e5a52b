"""`gateway status --json` and `health --json`: the captured documents, with our values."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from .probe import View, fetch
from .settings import Settings, gateway_port
from .status import command_line, log_file

# How long the real `health` waits for a gateway that refuses connections.
REFUSED_WAIT_SECONDS = 18.0
RETRY_SECONDS = 0.05


def _captured(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_name(name).read_text())
    return document


def status_document(view: View) -> dict[str, Any]:
    """The document of `gateway status --json`, differing between states as captured."""
    captured = _captured("status.json")
    document: dict[str, Any] = captured["systemd"]
    document["logFile"] = log_file()
    if view.settings.service == "none":
        document["service"] = captured["none"]
    else:
        _fill_service(document["service"], view)
    for config in document["config"].values():
        config.update(exists=view.config != "missing", valid=view.config != "invalid")
    source = "service args" if view.installed else "env/config"
    document["gateway"].update(port=view.port, portSource=source, probeUrl=view.url)
    document["gateway"]["controlUiLinks"] = {
        "httpUrl": f"http://127.0.0.1:{view.port}/",
        "wsUrl": f"{view.url}/",
    }
    document["port"] = _port(view)
    if view.probe == "ok":
        document["rpc"]["url"] = view.url
    else:
        document["gateway"]["version"] = None
        document["rpc"] = _failed_rpc(view)
        if view.installed and view.state != "failed" and _hung_or_stopped(view):
            document["health"] = {"healthy": bool(view.pid), "staleGatewayPids": []}
    return document


def _hung_or_stopped(view: View) -> bool:
    return view.probe == "timeout" or not view.pid


def _fill_service(service: dict[str, Any], view: View) -> None:
    enabled = view.settings.is_enabled
    service["loaded"] = enabled
    service["loadState"]["status"] = "loaded" if enabled else "not-loaded"
    runtime = service["runtime"]
    if not view.installed:  # not captured: the parts that the text output shows
        service["label"], service["command"] = "systemd", None
        service["runtime"] = {"status": "stopped"}
        return
    service["command"]["programArguments"][-1] = str(view.port)
    service["command"]["environment"]["OPENCLAW_GATEWAY_PORT"] = str(view.port)
    if view.pid:
        runtime["pid"] = view.pid
        return
    del runtime["pid"]
    sub = "failed" if view.state == "failed" else "dead"
    runtime.update(status="stopped", state=view.state, subState=sub)
    runtime.update(lastExitStatus=view.last_exit, lastExitReason="1")


def _port(view: View) -> dict[str, Any]:
    listener = {
        "pid": view.pid,
        "command": "MainThread" if view.installed else "openclaw-gatewa",
        "address": f"127.0.0.1:{view.port}",
        "user": view.user,
        "commandLine": command_line(view),
        "ppid": 1,
    }
    status = "busy" if view.listening else "free"
    listeners = [listener] if view.listening else []
    return {"port": view.port, "status": status, "listeners": listeners, "hints": []}


def _failed_rpc(view: View) -> dict[str, Any]:
    timed_out = view.probe == "timeout"
    return {
        "ok": False,
        "kind": "connect",
        "capability": "unknown",
        "auth": {"role": None, "scopes": [], "capability": "unknown"},
        "server": {"version": None, "connId": None},
        "connectFailure": {"kind": "unreachable"},
        **({"timedOut": True} if timed_out else {}),
        "error": "timeout" if timed_out else f"connect ECONNREFUSED 127.0.0.1:{view.port}",
        "url": view.url,
    }


def health_document(settings: Settings, timeout_seconds: float) -> dict[str, Any]:
    """The document of `health --json`; waits for a gateway that does not answer, as the real one.

    A hung gateway costs the whole timeout, a refusing one at most 18 s of it.
    """
    port, begun = gateway_port(settings), time.monotonic()
    while True:
        passed = time.monotonic() - begun
        seen, state = fetch(port, "/stand-in", timeout_seconds - passed)
        passed = time.monotonic() - begun
        if seen == "ok":
            return _healthy(state, passed)
        limit = min(REFUSED_WAIT_SECONDS, timeout_seconds) if seen == "refused" else timeout_seconds
        if passed + RETRY_SECONDS >= limit:
            return _unreachable(port, limit, timeout_seconds)
        time.sleep(RETRY_SECONDS)


def _healthy(state: dict[str, Any], passed: float) -> dict[str, Any]:
    document = _captured("health.json")
    document.update(ts=int(time.time() * 1000), durationMs=int(passed * 1000))
    document["channels"] = state
    document["channelOrder"] = list(state)
    document["channelLabels"] = {name: name.capitalize() for name in state}
    return document


def _unreachable(port: int, waited: float, timeout_seconds: float) -> dict[str, Any]:
    return {
        "ok": False,
        "error": {
            "type": "gateway_transport_error",
            "kind": "timeout",
            "message": f"Gateway not reachable after waiting {waited:.3g} s.",
            "timeoutMs": int(timeout_seconds * 1000),
        },
        "gateway": {
            "url": f"ws://127.0.0.1:{port}",
            "urlSource": "local loopback",
            "bindDetail": "Bind: loopback",
        },
    }
