"""The webhook's objects fit together, and with the program they run."""

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
import yaml
from charts import VALUES, Manifest, arguments, of_kind, only, rendered
from cryptography import x509

from drover.api.host import Host
from drover.api.kinds import CURRENT, WATCHED
from drover.cli.main import app
from drover.kube.admission.reviewer import HANDLER, REVIEWED

NAME = "drover-webhook"


@pytest.fixture(scope="module")
def objects() -> list[Manifest]:
    return rendered("--set=webhook.enabled=true")


def _pem(secret: Manifest, key: str) -> bytes:
    return base64.b64decode(secret["data"][key])


def test_its_own_certificate_is_for_its_service_and_by_the_authority_that_is_registered(
    objects: list[Manifest], tmp_path: Path
) -> None:
    secret, service = only(objects, "Secret", NAME), only(objects, "Service", NAME)
    (webhook,) = only(objects, "ValidatingWebhookConfiguration", NAME)["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    certificate = x509.load_pem_x509_certificate(_pem(secret, "tls.crt"))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(_pem(secret, "ca.crt")))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    where = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert where in names.get_values_for_type(x509.DNSName)
    assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3000)
    for key in ("tls.crt", "tls.key"):
        (tmp_path / key).write_bytes(_pem(secret, key))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")


def test_the_api_server_is_led_to_what_the_program_serves(objects: list[Manifest]) -> None:
    (webhook,) = only(objects, "ValidatingWebhookConfiguration", NAME)["webhooks"]
    target, service = webhook["clientConfig"]["service"], only(objects, "Service", NAME)
    assert target["path"] == f"/{HANDLER}"
    assert target["name"] == service["metadata"]["name"]
    (port,) = (port for port in service["spec"]["ports"] if port["port"] == target["port"])
    (container,) = only(objects, "Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports[port["targetPort"]] == 9443
    assert service["spec"]["selector"].items() <= _pod(objects)["metadata"]["labels"].items()
    asked = {resource for rule in webhook["rules"] for resource in rule["resources"]}
    assert asked == {kind.PLURAL for kind in REVIEWED}
    assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Ignore", "None")


def test_deletions_and_status_are_not_asked_about_nor_hosts_but_for_changes(objects: list[Manifest]) -> None:
    (webhook,) = only(objects, "ValidatingWebhookConfiguration", NAME)["webhooks"]
    for rule in webhook["rules"]:
        assert set(rule["operations"]) <= {"CREATE", "UPDATE"}
        assert not any("/" in resource or "*" in resource for resource in rule["resources"])
        assert rule["operations"] == ["UPDATE"] or Host.PLURAL not in rule["resources"]


def test_the_certificate_is_where_the_program_looks_for_it(objects: list[Manifest]) -> None:
    pod = _pod(objects)["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/drover/certificate", True)  # that of --cert-file
    (volume,) = pod["volumes"]
    assert volume["secret"]["secretName"] == only(objects, "Secret", NAME)["metadata"]["name"]


def test_cert_manager_makes_it_where_it_is_asked_to_and_the_chart_none() -> None:
    issuer = (
        "--set=webhook.certificate.issuerRef.name=internal",
        "--set=webhook.certificate.issuerRef.kind=ClusterIssuer",
    )
    made = rendered("--set=webhook.enabled=true", "--set=webhook.certificate.mode=certManager", *issuer)
    assert of_kind(made, "Secret") == []
    certificate = only(made, "Certificate", NAME)["spec"]
    assert certificate["issuerRef"] == {"name": "internal", "kind": "ClusterIssuer"}
    assert certificate["secretName"] == NAME
    configuration = only(made, "ValidatingWebhookConfiguration", NAME)
    assert configuration["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": f"drover-system/{NAME}"}
    assert "caBundle" not in configuration["webhooks"][0]["clientConfig"]


def test_a_secret_of_ones_own_is_served_and_its_authority_registered() -> None:
    made = rendered(f"--values={VALUES / 'webhook-secret.yaml'}")
    given = yaml.safe_load((VALUES / "webhook-secret.yaml").read_text())["webhook"]["certificate"]
    assert of_kind(made, "Secret", "Certificate") == []
    (volume,) = _pod(made)["spec"]["volumes"]
    assert volume["secret"]["secretName"] == given["existingSecret"]
    configuration = only(made, "ValidatingWebhookConfiguration", NAME)
    assert base64.b64decode(configuration["webhooks"][0]["clientConfig"]["caBundle"]).decode() == given["caBundle"]
    assert "annotations" not in configuration["metadata"]


@pytest.mark.parametrize(("port", "metrics_port"), [(9443, 8080), (10260, 10261)])
def test_it_listens_where_its_ports_say(port: int, metrics_port: int) -> None:
    made = rendered(f"--set=webhook.enabled=true,webhook.port={port},webhook.metricsPort={metrics_port}")
    (container,) = _pod(made)["spec"]["containers"]
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == {
        "webhook": port,
        "metrics": metrics_port,
    }
    program = typer.main.get_command(app)
    with program.make_context("drover", arguments(container)) as context:
        command, subcommand, rest = program.resolve_command(context, arguments(container))  # type: ignore[attr-defined]
        assert command == "admission"
        with subcommand.make_context("admission", rest, parent=context) as parsed:
            assert (parsed.params["port"], parsed.params["metrics_port"]) == (port, metrics_port)
            assert parsed.params["namespace"] == "drover-system"


def test_on_its_nodes_network_it_frees_the_ports_before_the_next_one_comes(objects: list[Manifest]) -> None:
    apart = only(objects, "Deployment", NAME)["spec"]
    assert "hostNetwork" not in apart["template"]["spec"]
    assert apart["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    made = only(rendered("--set=webhook.enabled=true,webhook.hostNetwork=true"), "Deployment", NAME)["spec"]
    pod = made["template"]["spec"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert made["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_it_answers_for_a_moment_after_its_endpoint_is_gone(objects: list[Manifest]) -> None:
    pod = _pod(objects)["spec"]
    (container,) = pod["containers"]
    seconds = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < seconds < pod["terminationGracePeriodSeconds"]


def test_it_may_list_and_watch_what_it_mirrors_and_write_nothing(objects: list[Manifest]) -> None:
    rules = only(objects, "ClusterRole", NAME)["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    mirrored = [WATCHED[kind] for kind in CURRENT]
    needed = {(kind.GROUP, kind.PLURAL, verb) for kind in mirrored for verb in ("list", "watch")}
    assert needed <= granted
    assert {verb for *_, verb in granted - needed} == {"get"}


@pytest.mark.parametrize(
    ("kind", "value", "field"),
    [("ServiceMonitor", "serviceMonitor", "endpoints"), ("PodMonitor", "podMonitor", "podMetricsEndpoints")],
)
def test_it_is_scraped_where_the_operator_is_under_a_job_of_its_own(kind: str, value: str, field: str) -> None:
    made = rendered("--set=webhook.enabled=true", f"--set=metrics.{value}.enabled=true")
    monitor = only(made, kind, NAME)["spec"]
    (endpoint,) = monitor[field]
    assert endpoint["relabelings"] == [{"action": "replace", "targetLabel": "job", "replacement": NAME}]
    assert monitor["selector"]["matchLabels"].items() <= _pod(made)["metadata"]["labels"].items()
    others = [one for one in of_kind(made, kind) if one["metadata"]["name"] != NAME]
    assert not any(one["spec"]["selector"] == monitor["selector"] for one in others)


def _pod(objects: list[Manifest]) -> Manifest:
    pod: Manifest = only(objects, "Deployment", NAME)["spec"]["template"]
    return pod
