"""Values that the chart refuses: what is set with ``helm --set``, and a part of the one line that tells."""

OUT_OF_SCHEMA = {
    "replicaCount=-1": "- at '/replicaCount': minimum: got -1, want 0",
    "replicaCount=two": "- at '/replicaCount': got string, want integer",
    "replicas=2": "- at '': additional properties 'replicas' not allowed",
    "crds.enbled=true": "- at '/crds': additional properties 'enbled' not allowed",
    "image.pullPolicy=Sometimes": "- at '/image/pullPolicy': value must be one of 'IfNotPresent', 'Always', 'Never'",
    "image.repository=": "- at '/image/repository': '' does not match pattern",
    "image.repository=registry:5000/drover:0.1.0": (
        "- at '/image/repository': 'registry:5000/drover:0.1.0' does not match pattern"
    ),
    "image.repository=https://registry/drover": (
        "- at '/image/repository': 'https://registry/drover' does not match pattern"
    ),
    **{
        f"image.repository={wrong}": f"- at '/image/repository': '{wrong}' does not match pattern"
        for wrong in ("/", "registry/", "a//b", "registry:5000/", "org/Drover")
    },
    "image.digest=sha256:12": "- at '/image/digest': 'sha256:12' does not match pattern '^(sha256:[0-9a-f]{64})?$'",
    "operator.logLevel=trace": "- at '/operator/logLevel': value must be one of 'debug', 'info', 'warning', 'error'",
    "operator.leaseDuration=1": "- at '/operator/leaseDuration': minimum: got 1, want 2",
    "operator.extraArgs=--x": "- at '/operator/extraArgs': got string, want array",
    "metrics.service.port=0": "- at '/metrics/service/port': minimum: got 0, want 1",
    "metrics.podMonitor.interval=often": (
        "- at '/metrics/podMonitor/interval': 'often' does not match pattern '^([0-9]+(ms|s|m|h))+$'"
    ),
    "metrics.prometheusRule.runbookUrl=runbooks": (
        "- at '/metrics/prometheusRule/runbookUrl': 'runbooks' does not match pattern"
    ),
    "admissionPolicies.inUse=Audit": "- at '/admissionPolicies/inUse': value must be one of 'Warn', 'Deny'",
    "usageArchive.size=big": "- at '/usageArchive/size': 'big' does not match pattern",
    "resources.limits.memory=much": "- at '/resources/limits/memory': 'much' does not match pattern",
    "podAnnotations.a=1": "- at '/podAnnotations/a': got number, want string",
    "tolerations[0].efect=NoSchedule": "- at '/tolerations/0': additional properties 'efect' not allowed",
    "webhook.timeoutSeconds=60": "- at '/webhook/timeoutSeconds': maximum: got 60, want 30",
    "webhook.certificate.mode=certManager": "- at '/webhook/certificate/issuerRef': missing property 'name'",
    "fullnameOverride=Drover": "- at '/fullnameOverride': 'Drover' does not match pattern",
    "fullnameOverride=1st": "- at '/fullnameOverride': '1st' does not match pattern",
    f"fullnameOverride={'x' * 51}": "- at '/fullnameOverride': maxLength: got 51, want 50",
    "extraEnv[0].name=A,extraEnv[0].value=1": "- at '/extraEnv/0/value': got number, want string",
    "extraVolumeMounts[0].name=a,extraVolumeMounts[0].mountPath=/a,extraVolumeMounts[0].readonly=true": (
        "- at '/extraVolumeMounts/0': additional properties 'readonly' not allowed"
    ),
    "commonLabels.a=1": "- at '/commonLabels/a': got number, want string",
    "webhook.port=443": "- at '/webhook/port': minimum: got 443, want 1,024",
    "webhook.metricsPort=80": "- at '/webhook/metricsPort': minimum: got 80, want 1,024",
    "webhook.tolerations[0].efect=A": "- at '/webhook/tolerations/0': additional properties 'efect' not allowed",
    "webhook.certificate.caBundle=ca.crt": "- at '/webhook/certificate/caBundle': 'ca.crt' does not match pattern",
    "podDisruptionBudget.minAvailable=100%": "- at '/podDisruptionBudget/minAvailable': '100%' does not match pattern",
    "podDisruptionBudget.minAvailable=-1": "- at '/podDisruptionBudget/minAvailable': minimum: got -1, want 0",
}

_NO_DIGEST = f"sha256:{'0' * 64}"
_CA = "webhook.certificate.caBundle=-----BEGIN CERTIFICATE-----"
AT_ODDS = {
    r"podLabels.app\.kubernetes\.io/name=web": (
        "podLabels: app.kubernetes.io/name is the chart's own label: leave it out"
    ),
    r"podLabels.app\.kubernetes\.io/component=web": (
        "podLabels: app.kubernetes.io/component is the chart's own label: leave it out"
    ),
    r"metrics.dashboards.labels.helm\.sh/chart=web": (
        "metrics.dashboards.labels: helm.sh/chart is the chart's own label: leave it out"
    ),
    "commonLabels.helm\\.sh/chart=web": "commonLabels: helm.sh/chart is the chart's own label: leave it out",
    "commonLabels.team=a,podLabels.team=b": "podLabels: team is in commonLabels too: leave it out of one of them",
    f"image.tag=edge,image.digest={_NO_DIGEST}": (
        'image.tag edge has no effect, for image.digest is set: leave the tag out, or set image.digest to ""'
    ),
    **{
        f"extraEnv[0].name={name},extraEnv[0].value=a": (
            f"extraEnv: {name} is the chart's own, by which an instance is known: leave it out"
        )
        for name in ("POD_NAME", "POD_NAMESPACE")
    },
    **{
        f"operator.extraArgs={{{argument}}}": f"operator.extraArgs: the chart gives {option} itself: set {value}"
        for argument, option, value in (
            ("--log-level=debug", "--log-level", "operator.logLevel"),
            ("--log-format,text", "--log-format", "operator.logFormat"),
            ("--lease-duration=60", "--lease-duration", "operator.leaseDuration"),
            ("--context=a,--metrics-port=9090", "--metrics-port", "metrics.service.port"),
            ("--metrics-vm-detail=full", "--metrics-vm-detail", "metrics.vmDetail"),
            ("--metrics-compat=kubevirt", "--metrics-compat", "metrics.compat"),
            ("--usage-archive=/usage", "--usage-archive", "usageArchive.enabled"),
        )
    },
    "operator.extraArgs={--namespace=default}": (
        "operator.extraArgs: --namespace is the release's: install it with -n"
    ),
    "operator.extraArgs={--identity=one}": (
        "operator.extraArgs: with --identity all instances have one name, and each takes the Lease for its own: leave"
        " it out, the name is the pod's"
    ),
    **{
        f"fullnameOverride={name}": f"the operator's ClusterRole cannot be called {name}, for people's rights have that"
        for name in ("drover-view", "drover-datacenter-admin", "drover-flavors", "edit", "cluster-admin")
    },
    **{
        f"fullnameOverride={name}": f"objects cannot be called {name}, which is no text in YAML"
        for name in ("no", "off", "on", "y")
    },
    "webhook.certificate.issuerRef.name=ca": (
        "webhook.certificate.issuerRef has no effect with mode selfSigned: set mode certManager, or leave it out"
    ),
    "webhook.certificate.existingSecret=mine": (
        "webhook.certificate.existingSecret has no effect with mode selfSigned: set mode existingSecret, or leave it"
        " out"
    ),
    "webhook.certificate.mode=existingSecret,webhook.certificate.existingSecret=mine": (
        "webhook.certificate.mode existingSecret needs existingSecret, the Secret's name, and caBundle, the authority"
    ),
    f"webhook.certificate.mode=existingSecret,webhook.certificate.existingSecret=drover-webhook,{_CA}": (
        "webhook.certificate.existingSecret drover-webhook is the name of the chart's own Secret, which goes when the"
        " mode changes: call yours otherwise"
    ),
    "metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true": (
        "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled scrape the same pages, so every sum would be"
        " double: enable one"
    ),
    "usageArchive.enabled=true,replicaCount=3": (
        "replicaCount 3, but usageArchive.accessMode ReadWriteOnce is one instance's: set ReadWriteMany, with a volume"
        " that can, or replicaCount 1"
    ),
    "webhook.enabled=true,webhook.failurePolicy=Fail,webhook.replicaCount=0": (
        "webhook.replicaCount 0 with failurePolicy Fail would refuse every write of VMs: set failurePolicy Ignore, or"
        " replicaCount 1 or more"
    ),
    "podDisruptionBudget.enabled=true": (
        "podDisruptionBudget.minAvailable 1 of replicaCount 1 would block every drain of a node: set replicaCount to 2"
        " or more"
    ),
    # Kubernetes rounds a share up: 67% of 3 are 3.
    "podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable=67%,replicaCount=3": (
        "podDisruptionBudget.minAvailable 67% of replicaCount 3 would block every drain of a node: set replicaCount to"
        " 4 or more"
    ),
}
"""With each other, or with what the chart sets."""
