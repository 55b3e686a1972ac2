"""The functions: what runs, with which settings, and how events reach it."""

from __future__ import annotations

import json
from typing import Any

from infra.names import FUNCTIONS, Names
from infra.stages import SimulatorPlace, Stage
from riel.config import Config
from riel.gateways.routing import parse_routes
from riel.services.backlog import FULL_BATCH
from riel.services.batches import WIDTH
from tests.infrastructure.templates import Templates, logical_id_of

EVERY = {
    "RIEL_STAGE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOG_LEVEL",
}
ENVIRONMENT = {
    "api": {
        "RIEL_PAYMENTS_TABLE",
        "RIEL_OUTBOX_TABLE",
        "RIEL_MERCHANTS_TABLE",
        "RIEL_IDEMPOTENCY_TABLE",
        "RIEL_LIMITS_TABLE",
        "RIEL_WEBHOOKS_QUEUE_URL",
        "RIEL_PAYMENTS_PARALLEL",
        "RIEL_MAX_BACKLOG_SECONDS",
    },
    "gateway-webhooks": {"RIEL_PAYMENTS_TABLE", "RIEL_GATEWAY_EVENTS_QUEUE_URL"},
    "outbox-relay": {"RIEL_PAYMENTS_QUEUE_URL", "RIEL_WEBHOOKS_QUEUE_URL"},
    "processor": {
        "RIEL_PAYMENTS_TABLE",
        "RIEL_OUTBOX_TABLE",
        "RIEL_MERCHANTS_TABLE",
        "RIEL_LIMITS_TABLE",
        "RIEL_PAYMENTS_QUEUE_URL",
        "RIEL_GATEWAY_EVENTS_QUEUE_URL",
        "RIEL_EVENTS_BASE_URL",
        "RIEL_LEASE_SECONDS",
        "RIEL_PAYMENTS_MAX_RECEIVES",
        "RIEL_GATEWAY_TIMEOUT_SECONDS",
        "RIEL_GATEWAY_RETRY_SECONDS",
        "RIEL_LOOK_UP_SECONDS",
        "RIEL_SOFT_DECLINE_RETRY_SECONDS",
        "RIEL_FALLBACK_AFTER_WAITS",
        "RIEL_EXPIRY_GRACE_SECONDS",
        "RIEL_UNMATCHED_EVENT_SECONDS",
        "RIEL_BREAKER_FAILURES",
        "RIEL_BREAKER_SECONDS",
    },
    "sweeper": {
        "RIEL_PAYMENTS_TABLE",
        "RIEL_OUTBOX_TABLE",
        "RIEL_LIMITS_TABLE",
        "RIEL_PAYMENTS_QUEUE_URL",
        "RIEL_GATEWAY_EVENTS_QUEUE_URL",
        "RIEL_WEBHOOKS_QUEUE_URL",
        "RIEL_SWEEP_AGES_SECONDS",
    },
    "webhook-sender": {
        "RIEL_PAYMENTS_TABLE",
        "RIEL_OUTBOX_TABLE",
        "RIEL_MERCHANTS_TABLE",
        "RIEL_LIMITS_TABLE",
        "RIEL_WEBHOOKS_QUEUE_URL",
        "RIEL_WEBHOOKS_DLQ_URL",
        "RIEL_WEBHOOK_RETRY_SECONDS",
        "RIEL_WEBHOOKS_MAX_RECEIVES",
        "RIEL_WEBHOOK_KEY",
    },
    "simulator": {
        "RIEL_SIMULATOR_TABLE",
        "RIEL_SIMULATOR_SECRET",
        "RIEL_SIMULATOR_LATENCY",
        "RIEL_SIMULATOR_SUCCESS_RATE",
    },
}
WITH_A_GATEWAY = {
    "api": {"RIEL_SIMULATOR_URL", "RIEL_ROUTES"},
    "gateway-webhooks": {"RIEL_SIMULATOR_SECRET"},
    "outbox-relay": {"RIEL_GATEWAY_QUEUES"},
    "processor": {"RIEL_SIMULATOR_URL", "RIEL_ROUTES", "RIEL_GATEWAY_QUEUES"},
    "sweeper": {"RIEL_GATEWAY_QUEUES"},
}


def test_the_functions_are_those_that_the_operator_knows(
    templates: Templates, stage: Stage
) -> None:
    names = Names(stage.name)
    assert set(templates.functions()) == {names.function(name) for name in stage.functions}
    assert set(FUNCTIONS) <= set(stage.functions)


def test_every_function_runs_python_3_13_on_arm64(templates: Templates) -> None:
    for function in templates.functions().values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["Handler"].startswith("functions.")
        assert function["Handler"].endswith(".handler.handler")


def test_every_function_gets_exactly_the_settings_that_it_reads(
    templates: Templates, stage: Stage
) -> None:
    for name in stage.functions:
        variables = templates.functions()[Names(stage.name).function(name)]["Environment"]
        expected = EVERY | ENVIRONMENT[name]
        if stage.simulator is not SimulatorPlace.NONE:
            expected |= WITH_A_GATEWAY.get(name, set())
        if stage.simulator is SimulatorPlace.FUNCTION and name == "processor":
            expected |= {"RIEL_SIMULATOR_AUTH"}
        if stage.loopback_webhooks and name in ("api", "webhook-sender"):
            expected |= {"RIEL_LOOPBACK_WEBHOOKS"}
        assert set(variables["Variables"]) == expected, name


def test_the_functions_read_their_settings_as_the_stage_means_them(
    templates: Templates, stage: Stage
) -> None:
    """The text of each variable, read back by the code that reads it on Lambda."""
    gateways = stage.gateways
    config = _config(templates, "processor")

    assert config.look_up_seconds == gateways.look_up_seconds
    assert config.soft_decline_retry_seconds == gateways.soft_decline_retry_seconds
    assert config.gateway_retry_seconds == gateways.retry_seconds
    assert config.unmatched_event_seconds == gateways.unmatched_event_seconds
    assert config.fallback_after_waits == gateways.fallback_after_waits
    assert config.expiry_grace_seconds == gateways.expiry_grace_seconds
    assert config.breaker_failures == gateways.breaker_failures
    assert config.breaker_seconds == gateways.breaker_seconds
    assert config.routes == _config(templates, "api").routes == gateways.routes
    assert _config(templates, "sweeper").sweep_ages_seconds == stage.sweeper.ages_seconds
    sender = _config(templates, "webhook-sender")
    assert sender.webhook_retry_seconds == stage.webhook_retry_seconds
    assert sender.webhooks_max_receives == stage.queues["webhooks"].max_receives
    assert sender.webhook_key == Names(stage.name).webhook_key


def test_fc_45_every_gateway_of_a_route_but_the_first_has_a_payments_queue_of_its_own(
    templates: Templates, stage: Stage
) -> None:
    routes = parse_routes(stage.gateways.routes)
    fallbacks = {gateway for route in routes for gateway in route.gateways[1:]}
    assert set(stage.gateway_queues) == fallbacks
    for function in ("outbox-relay", "processor", "sweeper"):
        assert set(_config(templates, function).gateway_queues) == fallbacks


def test_gateways_send_their_events_to_the_public_address(
    templates: Templates, stage: Stage
) -> None:
    processor = templates.functions()[Names(stage.name).function("processor")]
    address = processor["Environment"]["Variables"]["RIEL_EVENTS_BASE_URL"]
    if stage.simulator is SimulatorPlace.PARAMETER:
        assert address == {"Ref": "PublicUrl"}
    else:
        (api,) = templates.of_type("AWS::ApiGatewayV2::Api")
        assert address == {"Fn::GetAtt": [api, "ApiEndpoint"]}


def test_the_api_knows_how_fast_a_backlog_drains_and_how_long_it_may_be(
    templates: Templates, stage: Stage
) -> None:
    names = Names(stage.name)
    mapping = templates.queue_mappings()[names.queue("payments")]
    side_by_side = mapping["BatchSize"] * mapping["ScalingConfig"]["MaximumConcurrency"]
    variables = templates.functions()[names.function("api")]["Environment"]["Variables"]
    assert variables["RIEL_PAYMENTS_PARALLEL"] == str(side_by_side)
    assert variables["RIEL_MAX_BACKLOG_SECONDS"] == str(stage.max_backlog_seconds)
    assert mapping["BatchSize"] == FULL_BATCH == WIDTH


def test_only_the_local_stage_calls_loopback_addresses(aws_templates: Templates) -> None:
    for function in aws_templates.functions().values():
        assert "RIEL_LOOPBACK_WEBHOOKS" not in function["Environment"]["Variables"]


def test_the_webhook_sender_has_no_route_to_anything_private(templates: Templates) -> None:
    """Without a VPC it leaves by Lambda's own network, which reaches public addresses alone."""
    sender = templates.functions()[Names(templates.stage).function("webhook-sender")]
    assert "VpcConfig" not in sender
    assert not [r for r in templates.resources.values() if r["Type"].startswith("AWS::EC2::")]


def test_every_log_group_forgets(templates: Templates, stage: Stage) -> None:
    groups = templates.of_type("AWS::Logs::LogGroup")
    assert len(groups) == len(stage.functions) + 1  # and the API's access log
    for group in groups.values():
        assert group["RetentionInDays"] == stage.log_retention_days
    for function in templates.functions().values():
        assert logical_id_of(function["LoggingConfig"]["LogGroup"]) in groups


def test_on_aws_every_function_is_traced_and_has_both_layers(aws_templates: Templates) -> None:
    layers = aws_templates.of_type("AWS::Lambda::LayerVersion")
    for function in aws_templates.functions().values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert {logical_id_of(layer) for layer in function["Layers"]} == set(layers)
        assert len(function["Layers"]) == 2


def test_fc_36_a_lease_outlasts_the_function_and_the_function_its_gateway(stage: Stage) -> None:
    timeout = stage.functions["processor"].timeout_seconds
    assert stage.gateways.timeout_seconds < timeout <= stage.lease_seconds


def test_the_api_answers_before_api_gateway_gives_up(stage: Stage) -> None:
    for name in ("api", "gateway-webhooks"):
        assert stage.functions[name].timeout_seconds < 30


def test_fc_59_the_outbox_stream_never_waits_for_one_bad_record(
    templates: Templates, stage: Stage
) -> None:
    mapping = templates.stream_mapping()
    relay = Names(stage.name).function("outbox-relay")
    assert templates.function_named_by(mapping["FunctionName"]) == relay
    (pattern,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {"eventName": ["INSERT"]}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BatchSize"] == 100
    assert 0 <= mapping["MaximumBatchingWindowInSeconds"] <= 1
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 10
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    dead_letters = templates.queue_named_by(
        mapping["DestinationConfig"]["OnFailure"]["Destination"]
    )
    assert dead_letters["QueueName"] == Names(stage.name).dead_letter_queue("outbox-relay")


def test_fc_45_queues_are_read_in_bounded_parallel_with_partial_failures(
    templates: Templates, stage: Stage
) -> None:
    names, mappings = Names(stage.name), templates.queue_mappings()
    assert set(mappings) == {names.queue(queue) for queue in stage.queues}
    for queue, settings in stage.queues.items():
        mapping = mappings[names.queue(queue)]
        consumer = templates.function_named_by(mapping["FunctionName"])
        assert consumer == names.function(settings.consumer)
        assert mapping["BatchSize"] == 10
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        concurrency = mapping["ScalingConfig"]["MaximumConcurrency"]
        assert concurrency == settings.max_concurrency >= 2


def test_functions_that_feed_their_own_queue_are_not_stopped_as_a_loop(
    templates: Templates,
) -> None:
    """A webhook's retries are delayed copies: more rounds than Lambda's loop detection lets by."""
    names = Names(templates.stage)
    for name, function in templates.functions().items():
        feeds_itself = name in (names.function("processor"), names.function("webhook-sender"))
        assert (function.get("RecursiveLoop") == "Allow") is feeds_itself


def test_the_api_is_throttled_and_logs_each_request_as_json(
    templates: Templates, stage: Stage
) -> None:
    (entry,) = templates.of_type("AWS::ApiGatewayV2::Stage").values()
    assert entry["StageName"] == "$default"
    assert entry["AutoDeploy"] is True
    limits = entry["DefaultRouteSettings"]
    assert limits["ThrottlingRateLimit"] == stage.throttle.rate
    assert limits["ThrottlingBurstLimit"] == stage.throttle.burst
    fields = json.loads(entry["AccessLogSettings"]["Format"])
    assert "$context.requestId" in fields.values()
    assert not any("header" in field or "query" in field.lower() for field in fields.values())


def test_the_events_of_gateways_have_a_route_of_their_own_and_all_else_is_the_apis(
    templates: Templates,
) -> None:
    names = Names(templates.stage)
    integrations = templates.of_type("AWS::ApiGatewayV2::Integration")
    assert {i["PayloadFormatVersion"] for i in integrations.values()} == {"2.0"}
    targets = {
        route["RouteKey"]: integrations[route["Target"]["Fn::Join"][1][1]["Ref"]]
        for route in templates.of_type("AWS::ApiGatewayV2::Route").values()
    }
    assert {k: templates.function_named_by(i["IntegrationUri"]) for k, i in targets.items()} == {
        "$default": names.function("api"),
        "POST /api/v1/gateways/{gateway}/webhooks": names.function("gateway-webhooks"),
    }


def _config(templates: Templates, function: str) -> Config:
    """What the function reads on Lambda; a reference to a resource reads as its logical id."""
    name = Names(templates.stage).function(function)
    variables = templates.functions()[name]["Environment"]["Variables"]
    return Config.from_environment({key: _text(value) for key, value in variables.items()})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(_text, parts))
    return logical_id_of(value)
