"""Which counts of the functions are alarms: data, with the sentence that the alarm says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CountAlarm:
    """Fires when a function counted more than `above` within the minutes."""

    what: str
    function: str
    metric: str
    above: int
    minutes: int
    description: str


COUNT_ALARMS = (
    CountAlarm(
        "api-defects",
        "api",
        "ApiDefect",
        above=0,
        minutes=1,
        description="A merchant was answered 500: a defect of ours.",
    ),
    CountAlarm(
        "payments-refused-busy",
        "api",
        "PaymentRefusedBusy",
        above=0,
        minutes=5,
        description="New payments are refused: too many wait for their gateway already.",
    ),
    CountAlarm(
        "rate-not-checked",
        "api",
        "RateNotChecked",
        above=0,
        minutes=5,
        description="Reads go on without a limit: the limits table does not answer.",
    ),
    CountAlarm(
        "backlog-not-read",
        "api",
        "BacklogNotRead",
        above=0,
        minutes=15,
        description="Payments are taken without back-pressure: the figure can not be read.",
    ),
    CountAlarm(
        "backlog-not-measured",
        "processor",
        "BacklogNotMeasured",
        above=0,
        minutes=15,
        description="Payments are taken without back-pressure: the figure is not written.",
    ),
    CountAlarm(
        "gateway-deferrals",
        "processor",
        "PaymentStepDeferred",
        # One payment that can not reach its PSP is deferred three times in any quarter of an hour.
        above=2,
        minutes=15,
        description="Payments wait: their gateway is unavailable or does not answer.",
    ),
    CountAlarm(
        "gateway-unmapped",
        "processor",
        "GatewayAnswerUnmapped",
        above=0,
        minutes=1,
        description="psp_unmapped_status: a gateway answered what no adapter understands.",
    ),
    CountAlarm(
        "payments-in-review",
        "processor",
        "PaymentInReview",
        above=0,
        minutes=1,
        description="A payment waits for a person: its outcome is contradicted or unknown.",
    ),
    CountAlarm(
        "refunds-in-review",
        "processor",
        "RefundInReview",
        above=0,
        minutes=1,
        description="A refund waits for a person: its outcome is contradicted or unknown.",
    ),
    CountAlarm(
        "gateway-contradictions",
        "processor",
        "GatewayContradicted",
        above=0,
        minutes=1,
        description="A gateway contradicts a payment whose status stays: a person has to look.",
    ),
    CountAlarm(
        "gateway-events-refused",
        "gateway-webhooks",
        "GatewaySignatureInvalid",
        # Scanners find every address; a secret that differs refuses all of a PSP's events.
        above=20,
        minutes=5,
        description="Somebody posts events without the gateway's signature, or our secret is old.",
    ),
    CountAlarm(
        "gateway-clock-skew",
        "gateway-webhooks",
        "GatewayTimestampOutOfTolerance",
        above=0,
        minutes=5,
        description="Events with a good signature are too old: a clock is wrong, or one replays.",
    ),
    CountAlarm(
        "gateway-events-unmatched",
        "processor",
        "GatewayEventUnmatchedOld",
        above=0,
        minutes=15,
        description="A gateway tells of a payment that we still do not know.",
    ),
    CountAlarm(
        "gateway-events-foreign",
        "processor",
        "GatewayEventForeign",
        above=0,
        minutes=1,
        description="A gateway tells of a payment that is another gateway's, or the other mode's.",
    ),
    CountAlarm(
        "breaker-open",
        "processor",
        "BreakerOpened",
        above=0,
        minutes=5,
        description="A gateway failed so often in a row that it is left alone for a while.",
    ),
    CountAlarm(
        "payments-fell-back",
        "processor",
        "PaymentFellBack",
        above=0,
        minutes=15,
        description="Payments went to the next gateway of their route: the first is unavailable.",
    ),
    CountAlarm(
        "gateway-events-unreadable",
        "gateway-webhooks",
        "GatewayEventUnreadable",
        above=0,
        minutes=5,
        description="A gateway signs events that we can not read; they are kept as they came.",
    ),
    CountAlarm(
        "gateway-webhooks-defects",
        "gateway-webhooks",
        "ApiDefect",
        above=0,
        minutes=1,
        description="A gateway was answered 500 for its event: a defect of ours.",
    ),
    CountAlarm(
        "secrets-not-read",
        "gateway-webhooks",
        "SecretsNotRead",
        above=0,
        minutes=5,
        description="A gateway's secret can not be read; the last known one counts for an hour.",
    ),
    CountAlarm(
        "switches-not-read",
        "api",
        "SwitchesNotRead",
        above=0,
        minutes=5,
        description="Kill switches can not be read: what is known of them stays as it was.",
    ),
    CountAlarm(
        "outbox-records-unreadable",
        "sweeper",
        "OutboxRecordUnreadable",
        above=0,
        minutes=15,
        description="The sweeper finds events in the outbox that nobody can read.",
    ),
    CountAlarm(
        "outbox-events-orphaned",
        "sweeper",
        "OutboxEventOrphaned",
        above=0,
        minutes=15,
        description="The outbox tells of a payment or refund that does not exist.",
    ),
    CountAlarm(
        "processor-abandoned",
        "processor",
        "MessageAbandoned",
        above=0,
        minutes=5,
        description="Work did not end with its function: its message comes again.",
    ),
    CountAlarm(
        "webhook-sender-abandoned",
        "webhook-sender",
        "MessageAbandoned",
        above=0,
        minutes=5,
        description="An attempt did not end with its function: its message comes again.",
    ),
    CountAlarm(
        "webhook-endpoint-stopped",
        "webhook-sender",
        "WebhookEndpointStopped",
        above=0,
        minutes=1,
        description="An endpoint is gone, forbidden or failed for three days: it gets no webhooks.",
    ),
    CountAlarm(
        "webhook-secrets-not-read",
        "webhook-sender",
        "WebhookSecretsNotRead",
        above=0,
        minutes=5,
        description="Webhooks wait: the secrets that sign them can not be decrypted.",
    ),
    CountAlarm(
        "webhook-hosts-unknown",
        "webhook-sender",
        "WebhookHostUnknown",
        above=0,
        minutes=5,
        description="Webhooks go out without isolation: the limits table does not answer.",
    ),
    CountAlarm(
        "webhooks-put-off",
        "webhook-sender",
        "WebhookPutOff",
        # One delivery is put off five times in its first minute, then ever more rarely.
        above=1_000,
        minutes=15,
        description="Hundreds of webhooks wait for a host that does not answer.",
    ),
    CountAlarm(
        "sweeper-republished",
        "sweeper",
        "OutboxEventRepublished",
        above=0,
        minutes=15,
        description="Events had no effect and were published again: the relay loses some, or lags.",
    ),
)
