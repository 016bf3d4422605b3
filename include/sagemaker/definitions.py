"""What SageMaker is asked to make, from the settings.

Formats: https://docs.aws.amazon.com/sagemaker/latest/APIReference, CreateModel and CreateEndpointConfig.
"""

from __future__ import annotations

from typing import Any

from include import settings


def model(name: str, model_url: str) -> dict[str, Any]:
    """Return the request for a model whose ``model.tar.gz`` lies at an S3 URL."""
    return {
        "ModelName": name,
        "ExecutionRoleArn": settings.SAGEMAKER_ROLE.read(),
        "PrimaryContainer": {"Image": settings.SAGEMAKER_IMAGE.read(), "ModelDataUrl": model_url},
    }


def endpoint_config(name: str) -> dict[str, Any]:
    """Return the request for an endpoint's configuration: one instance of the model of the same name."""
    variant = {
        "VariantName": "champion",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": settings.SAGEMAKER_INSTANCE.read(),
    }
    return {"EndpointConfigName": name, "ProductionVariants": [variant]}
