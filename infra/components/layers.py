"""Lambda layers from our bundles: `core` is Riel itself, `dependencies` what it imports."""

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundles import Bundles
from infra.components.python_function import ARCHITECTURE, RUNTIME
from infra.names import Names
from infra.stages import Stage


def bundle_layers(scope: Construct, stage: Stage, bundles: Bundles) -> list[lambda_.LayerVersion]:
    """The layers of every function of the stage; the local stage has no dependencies layer."""
    names = Names(stage.name)
    layers = [
        lambda_.LayerVersion(
            scope,
            "CoreLayer",
            layer_version_name=names.layer("core"),
            description="The package riel",
            code=lambda_.Code.from_asset(str(bundles.core_layer)),
            compatible_runtimes=[RUNTIME],
        )
    ]
    if bundles.dependencies_layer is not None:
        layers.append(
            lambda_.LayerVersion(
                scope,
                "DependenciesLayer",
                layer_version_name=names.layer("dependencies"),
                description="Third-party packages of layers/dependencies/requirements.txt",
                code=lambda_.Code.from_asset(str(bundles.dependencies_layer)),
                compatible_runtimes=[RUNTIME],
                compatible_architectures=[ARCHITECTURE],
            )
        )
    return layers
