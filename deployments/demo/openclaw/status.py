"""`openclaw gateway status`: the captured outputs, stdout and stderr apart. Exit code 0 in all."""

from __future__ import annotations

import time

from . import VERSION
from .probe import View

NO_SERVICE = "No supported service manager detected."
LAUNCHED_BY_HAND = f"{NO_SERVICE} Restart the Gateway you launched manually after the update."
OWNS_PORT = (
    "Gateway process is running and owns the gateway port, so this is not a warm-up delay. Check"
    " the probe credentials/config, or restart the gateway and inspect its logs if it stays"
    " unresponsive."
)
HEAP = (
    "Gateway heap: service argv: --max-old-space-size=8192; installer recommendation: 8192 MiB old"
    " space (24105 MiB physical capacity; adaptive cap 8192 MiB; native headroom cap 18078 MiB);"
    " runtime V8 ceiling: not measured"
)
MAIN = "~/oc/node/bin/node --max-old-space-size=8192 ~/oc/inst/node_modules/openclaw/dist/index.js"
UNIT_FILE = "~/.config/systemd/user/openclaw-gateway.service"


def log_file() -> str:
    return f"$TMPDIR/openclaw/openclaw-{time.strftime('%Y-%m-%d')}.log"


def command_line(view: View) -> str:
    """How the gateway's process shows itself."""
    return f"{MAIN} gateway --port {view.port}" if view.installed else "openclaw-gateway"


def status_text(view: View) -> tuple[str, str]:
    """-> (stdout, stderr)."""
    out = [
        *_service(view),
        *_config(view),
        *_gateway(view),
        *_versions(view),
        *_runtime(view),
        f"Capability: {'connected-no-operator-scope' if view.probe == 'ok' else 'unknown'}",
        "",
    ]
    if view.settings.service == "none" or (view.installed and view.state == "inactive"):
        out.append("")
    if view.listening and view.probe != "skipped":
        out.append(f"Listening: 127.0.0.1:{view.port}")
    out.append("Troubles: run openclaw status")
    out.append("Troubleshooting: https://docs.openclaw.ai/troubleshooting")
    return "\n".join(out) + "\n", "".join(f"{line}\n" for line in _errors(view))


def _service(view: View) -> list[str]:
    if view.settings.service == "none":
        label = "no supported service manager detected (diagnostic only, not the probe target)"
    elif view.installed:
        label = f"systemd user ({'enabled' if view.settings.is_enabled else 'disabled'})"
    else:
        label = "systemd (disabled)"
    lines = [f"Service: {label}", f"File logs: {log_file()}"]
    if view.installed:
        lines += [
            f"Command: {command_line(view)}",
            f"Service file: {UNIT_FILE}",
            "Working dir: ~",
            f"Service env: OPENCLAW_GATEWAY_PORT={view.port}",
            HEAP,
        ]
    return [*lines, "Host desktop: disabled", ""]


def _config(view: View) -> list[str]:
    remark = f" ({view.config})" if view.config else ""
    return [f"Config ({who}): ~/.openclaw/openclaw.json{remark}" for who in ("cli", "service")]


def _gateway(view: View) -> list[str]:
    source = "service args" if view.installed else "env/config"
    return [
        "",
        f"Gateway: bind=loopback (127.0.0.1), port={view.port} ({source})",
        f"Probe target: {view.url}",
        f"Dashboard: http://127.0.0.1:{view.port}/",
        "Probe note: Loopback-only gateway; only local clients can connect.",
        "",
    ]


def _versions(view: View) -> list[str]:
    if not view.installed:
        return []
    lines = [f"CLI version: {VERSION} (~/oc/inst/node_modules/.bin/openclaw)"]
    if view.probe == "ok":
        return [*lines, f"Gateway version: {VERSION}", ""]
    lines.append(f"Gateway service version: {VERSION} (~/oc/inst/node_modules/openclaw)")
    return [*lines, "The Gateway did not report its own version.", ""]


def _runtime(view: View) -> list[str]:
    if view.settings.service == "none":
        lines = ["Runtime: unknown (diagnostic only, not the probe target)"]
    elif not view.installed:
        lines = ["Runtime: stopped"]
    elif view.pid:
        state = "state active, sub running, last exit 0, reason 0"
        lines = [f"Runtime: running (pid {view.pid}, {state})"]
    else:
        sub = "failed" if view.state == "failed" else "dead"
        state = f"state {view.state}, sub {sub}, last exit {view.last_exit}, reason 1"
        lines = [f"Runtime: stopped ({state})"]
    if view.probe == "ok":
        lines.append("Connectivity probe: ok")
    elif view.probe == "timeout" and view.installed and view.pid:
        lines.append(OWNS_PORT)
    return lines


def _errors(view: View) -> list[str]:
    lines = []
    if view.config_issue:
        lines += [f"Config issue: {view.config_issue}"]
        lines += [f"Service config issue: {view.config_issue}"]
    if view.probe == "refused":
        reason = f"connect ECONNREFUSED 127.0.0.1:{view.port}"
        lines += ["Connectivity probe: failed", f"Probe target: {view.url}", f"  {reason}"]
    elif view.probe == "timeout":
        lines += ["Connectivity probe: timed out before reaching Gateway"]
        lines += [f"Probe target: {view.url}", "  timeout"]
    if view.settings.service == "none":
        lines += [LAUNCHED_BY_HAND]
    elif not view.installed:
        lines += ["Service unit not found.", "Run: openclaw gateway install"]
    elif view.state == "inactive" and view.probe == "refused":
        lines += [
            "Service is loaded but not running (likely exited immediately).",
            f"File logs: {log_file()}",
            "Logs: journalctl --user -u openclaw-gateway.service -n 200 --no-pager",
            "Restart attempts: ~/.openclaw/logs/gateway-restart.log",
        ]
    if view.listening and view.probe in ("timeout", "skipped"):
        owner = f"- pid {view.pid} {view.user}: {command_line(view)} (127.0.0.1:{view.port})"
        lines += [f"Port {view.port} is already in use.", *([owner] if view.pid else [])]
    return lines
