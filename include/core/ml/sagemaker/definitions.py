"""Requests to SageMaker.

Formats: https://docs.aws.amazon.com/sagemaker/latest/APIReference, CreateModel and CreateEndpointConfig.
"""

from __future__ import annotations

from typing import Any


def model(name: str, model_url: str, role: str, image: str) -> dict[str, Any]:
    """Return the request for a model with its ``model.tar.gz`` at an S3 URL; the role must have access to both."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": role,
        "PrimaryContainer": {"Image": image, "ModelDataUrl": model_url},
    }


def endpoint_config(name: str, instance_type: str) -> dict[str, Any]:
    """Return the request for an endpoint's configuration: one instance of the model of the same name."""
    variant = {
        "VariantName": "champion",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": instance_type,
    }
    return {"EndpointConfigName": name, "ProductionVariants": [variant]}
