"""The exporter itself: does it poll, does the cloud answer, does it have what it needs."""

from .parts import *

PREFIX = "css_vpcep_exporter_"
FAILURES = f"rate({PREFIX}poll_failures_total{{{PROJECT}}}[$__rate_interval])"
# Reasons that do not happen have no line; the sum is there even at 0.
FAILED_POLLS = [
    target(f"sum({FAILURES})", "all"),
    target(f"sum by (reason) ({FAILURES}) > 0", "{{reason}}", "B"),
]


def rate(metric, selector=PROJECT):
    return f"rate({PREFIX}{metric}{{{selector}}}[$__rate_interval])"


def quantile(of, metric, by=""):
    """A quantile of a histogram of our own; nothing where nothing was measured, which would be NaN."""
    keys = f"le, {by}" if by else "le"
    return f"histogram_quantile({of}, sum by ({keys}) ({rate(metric + '_bucket', EXPORTER)})) >= 0"


def process(metric):
    """A metric of the exporters' processes: other jobs have such names too, so the job matters."""
    return f"process_{metric}{{{EXPORTER}}}"


def targets_in(state):
    return f'sum({PREFIX}targets{{{EXPORTER}, state=~"{state}"}})'


NEVER_GOOD = steps((1, "red"), base="transparent")

PANELS = [
    (
        stat(
            "Exporters down",
            "Exporters that Prometheus cannot scrape.",
            f"sum(up{{{EXPORTER}}} == bool 0)",
            thresholds=NEVER_GOOD,
        ),
        (3, 4),
    ),
    (
        stat(
            "Stale clusters",
            "Clusters whose data are too old to be shown, or that never had any. The reason is on the status page.",
            targets_in("stale|never"),
            thresholds=NEVER_GOOD,
        ),
        (3, 4),
    ),
    (
        stat(
            "Failing clusters",
            "The last poll failed; older data are shown.",
            targets_in("failing"),
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Polls overdue",
            "Clusters whose next poll is due while the previous one runs. If this lasts, the interval is too short for the rate limit: check-config computes it.",
            f"sum({PREFIX}polls_overdue{{{PROJECT}}})",
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Configuration",
            "Whether the last reload succeeded. If not, the previous configuration is in force: check-config says what is wrong.",
            f"min({PREFIX}config_last_reload_successful{{{EXPORTER}}})",
            thresholds=steps(base="transparent"),
            mappings=value_map([(1, "good", "transparent"), (0, "refused", "red")]),
        ),
        (3, 4),
    ),
    (
        stat(
            "Clock skew",
            "The largest difference between the cloud's clock and the exporters'. Beyond 900 s signatures are refused.",
            f"max(abs({PREFIX}api_clock_skew_seconds{{{PROJECT}}}))",
            unit="s",
            thresholds=steps((60, "orange"), (600, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Token expires in",
            "The token that expires first. A token is renewed after four fifths of its life.",
            f"min({PREFIX}credentials_expiry_timestamp_seconds{{{PROJECT}}}) - time()",
            unit="s",
            thresholds=steps((3600, "transparent"), base="red"),
            otherwise="no token",
        ),
        (3, 4),
    ),
    (
        stat(
            "Memory",
            "Resident memory of the largest exporter.",
            f"max({process('resident_memory_bytes')})",
            unit="bytes",
            graph="area",
        ),
        (3, 4),
    ),
    (row("Polls"), (24, 1)),
    (
        series(
            "Clusters by state of their data",
            "fresh: last poll succeeded; failing: it failed, older data are shown; stale: too old, not shown; never: no success yet.",
            f"sum by (state) ({PREFIX}targets{{{EXPORTER}}})",
            legend="{{state}}",
            colours=TARGET_COLOURS,
            stack=True,
            step=True,
        ),
        (12, 8),
    ),
    (
        series(
            "Failed polls by reason",
            "What each reason means, and what to do, is in the exporter's manual, under troubleshooting.",
            FAILED_POLLS,
            unit="ops",
            colours={"all": "text"},
        ),
        (12, 8),
    ),
    (
        series(
            "Polls",
            "Polls that ended, successful or not, by project.",
            f"sum by (project) ({rate('polls_total')})",
            unit="ops",
            legend="{{project}}",
        ),
        (8, 8),
    ),
    (
        series(
            "Time that polls take",
            "Median and 99th percentile, from the first token of the rate limit on. A poll fails at poll.timeout.",
            [
                target(quantile(0.5, "poll_duration_seconds"), "median"),
                target(quantile(0.99, "poll_duration_seconds"), "99th percentile", "B"),
            ],
            unit="s",
        ),
        (8, 8),
    ),
    (
        series(
            "Polls overdue",
            "Clusters whose next poll is due while the previous one runs, by project. If this lasts, the interval is too short for the rate limit.",
            f"sum by (project) ({PREFIX}polls_overdue{{{PROJECT}}})",
            legend="{{project}}",
            step=True,
        ),
        (8, 8),
    ),
    (row("The cloud's API"), (24, 1)),
    (
        series(
            "Requests by operation and answer",
            "Every attempt counts. The code is the HTTP status, or none if no answer came.",
            f"sum by (operation, code) ({rate('api_requests_total')})",
            unit="reqps",
            legend="{{operation}} {{code}}",
        ),
        (12, 8),
    ),
    (
        series(
            "Time that requests take",
            "99th percentile by operation, to the end of the body. The cloud gives up after 30 s.",
            quantile(0.99, "api_request_duration_seconds", "operation"),
            unit="s",
            legend="{{operation}}",
        ),
        (12, 8),
    ),
    (
        series(
            "Throttled, repeated, without a token",
            "Throttled: the cloud asked to call less often; lower requests_per_second or lengthen the interval. Repeated: a failure that may pass. "
            "Without a token: IAM gave none; the old one is used until it expires.",
            [
                target(f"sum by (project) ({rate('api_throttled_total')})", "throttled {{project}}"),
                target(f"sum by (project) ({rate('api_retries_total')})", "repeated {{project}}", "B"),
                target(f"sum by (project) ({rate('credential_refresh_failures_total')})", "without a token {{project}}", "C"),
            ],
            unit="ops",
        ),
        (8, 8),
    ),
    (
        series(
            "Wait for our own rate limit",
            "Seconds of waiting per second, for all requests of a project together. It grows before polls are overdue.",
            f"sum by (project) ({rate('api_rate_limit_wait_seconds_total')})",
            unit="s",
            legend="{{project}}",
        ),
        (8, 8),
    ),
    (
        series(
            "Unexpected values",
            "Values of the cloud that were not as documented. Each was understood or left out; if it grows, the API has changed. "
            "Each bar covers the rate interval.",
            f"sum by (kind) (increase({PREFIX}api_surprises_total{{{EXPORTER}}}[$__rate_interval]))",
            legend="{{kind}}",
            bars=True,
        ),
        (8, 8),
    ),
    (row("What it serves"), (24, 1)),
    (
        series(
            "Requests to the exporter",
            "Of the public and of the admin listener, by HTTP status.",
            f"sum by (code) ({rate('http_requests_total', EXPORTER)})",
            unit="reqps",
            legend="{{code}}",
        ),
        (6, 8),
    ),
    (
        series(
            "Time to answer",
            "99th percentile until an answer begins, by route.",
            quantile(0.99, "http_request_duration_seconds", "handler"),
            unit="s",
            legend="{{handler}}",
        ),
        (6, 8),
    ),
    (
        series(
            "Series about clusters",
            "By exporter. A jump means new clusters or connections; see poll.per_connection_limit.",
            f"sum by (instance) ({PREFIX}exposition_series{{{EXPORTER}}})",
            legend="{{instance}}",
        ),
        (6, 8),
    ),
    (
        series(
            "Size of the page",
            "The part about clusters, by exporter and encoding.",
            f"sum by (instance, encoding) ({PREFIX}exposition_size_bytes{{{EXPORTER}}})",
            unit="bytes",
            legend="{{instance}} {{encoding}}",
        ),
        (6, 8),
    ),
    (row("Processes"), (24, 1)),
    (
        table(
            "Exporters",
            "Version, start, configuration and shard of each. All shards should have the same configuration and the same count.",
            {
                "A": f"max by (job, instance, version, revision) ({PREFIX}build_info{{{EXPORTER}}})",
                "B": f"max by (job, instance) ({process('start_time_seconds')}) * 1000",
                "C": f"max by (job, instance) ({PREFIX}config_last_reload_success_timestamp_seconds{{{EXPORTER}}}) * 1000",
                "D": f"max by (job, instance, sha256) ({PREFIX}config_info{{{EXPORTER}}})",
                "E": f"max by (job, instance) ({PREFIX}shard_index{{{EXPORTER}}})",
                "F": f"max by (job, instance) ({PREFIX}shards{{{EXPORTER}}})",
            },
            {
                "instance": "Exporter",
                "version": "Version",
                "revision": "Revision",
                "Value #B": "Started",
                "Value #C": "Configuration loaded",
                "Value #E": "Shard",
                "Value #F": "of",
                "sha256": "SHA-256 of the configuration",
            },
            [
                column("Exporter", links=[STATUS_PAGE], custom__width=170),
                column("Version", custom__width=90),
                column("Revision", custom__width=110),
                column("Started", unit="dateTimeFromNow", custom__width=140),
                column("Configuration loaded", unit="dateTimeFromNow", custom__width=180),
                column("Shard", custom__width=80),
                column("of", custom__width=60),
            ],
            [{"displayName": "Exporter", "desc": False}],
            hide={"Value #A": True, "Value #D": True},
        ),
        (24, 5),
    ),
    (
        series(
            "CPU",
            "Cores in use, by exporter.",
            f"sum by (instance) (rate({process('cpu_seconds_total')}[$__rate_interval]))",
            legend="{{instance}}",
        ),
        (6, 7),
    ),
    (
        series(
            "Memory",
            "Resident memory, by exporter.",
            f"max by (instance) ({process('resident_memory_bytes')})",
            unit="bytes",
            legend="{{instance}}",
        ),
        (6, 7),
    ),
    (
        series(
            "File descriptors",
            "Open file descriptors as a part of those allowed, by exporter.",
            f"max by (instance) ({process('open_fds')} / {process('max_fds')})",
            unit="percentunit",
            legend="{{instance}}",
            thresholds=steps((0.8, "red")),
        ),
        (6, 7),
    ),
    (
        series(
            "Threads",
            "Threads of the operating system, by exporter.",
            f"max by (instance) ({process('threads')})",
            legend="{{instance}}",
        ),
        (6, 7),
    ),
]

DASHBOARD = dashboard(
    "exporter",
    "CSS VPC endpoints / Exporter",
    "Whether the exporters poll in time, what the cloud answers, and what CPU and memory they use.",
    ["project"],
    PANELS,
)
