"""The kubeconfig of the Kubernetes API double."""

from __future__ import annotations

import json

BEARER_VARIABLE = "SPELLBOOK_KUBERNETES_DOUBLE_TOKEN"


def kube_config(url: str, token: str) -> str:
    """Return a kubeconfig, as JSON, for the server at ``url``."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "double", "cluster": {"server": url}}],
            "users": [{"name": "airflow", "user": {"token": token}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "airflow"}}],
            "current-context": "double",
        }
    )
