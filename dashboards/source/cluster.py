"""One cluster: every connection, what changed, and whether the data can be trusted."""

from .parts import *

PREFIX = "huaweicloud_css_vpcep_"
SINCE = f"{PREFIX}connection_status_since_timestamp_seconds{{{CLUSTER}}}"

CHOSEN = "With several clusters chosen: "


def of_connections(metric, labels=""):
    more = f", {labels}" if labels else ""
    return f"max by ({CLUSTER_KEY}, endpoint_id{more}) ({PREFIX}{metric}{{{CLUSTER}}})"


def worst(metric, how="min"):
    return f"{how}({PREFIX}{metric}{{{CLUSTER}}})"


def _places():
    """The place of each connection's status in STATUS_COLOURS, from 1."""
    rows = [f'{PREFIX}connection_status{{{CLUSTER}, status="{s}"}} * {n}' for n, s in enumerate(STATUS_COLOURS, 1)]
    return "  " + "\n  or ".join(rows)


NOT_ACCEPTED = f'last_over_time({PREFIX}connection_status{{{CLUSTER}, status!="accepted"}}[$__range] @ end())'
# Which connections is decided at the end of the time range: else each step would have another 20.
CHANGED = f"""max by ({CONNECTION}) (
{_places()}
)
and on ({CONNECTION}) topk(20,
  max by ({CONNECTION}) (
    last_over_time({SINCE}[$__range] @ end()) and on ({CONNECTION}) {NOT_ACCEPTED}
    or {NOT_ACCEPTED} * 0
  )
)"""


def yes(text, otherwise):
    return value_map([(1, text, "text"), (0, otherwise, "text")])


PANELS = [
    (
        stat(
            "State",
            "The worst that holds of the cluster. " + CHOSEN + "the worst of them.",
            f"max({CLUSTER_STATE})",
            thresholds=steps(base="transparent"),
            mappings=STATE_MAP,
        ),
        (4, 4),
    ),
    (
        stat(
            "Rejected or failed",
            "Connections that carry no traffic until someone acts.",
            connections("rejected|failed"),
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Waiting",
            "Connections that someone has to accept or reject.",
            connections("pendingAcceptance"),
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (3, 4),
    ),
    (stat("Accepted", "Connections in use.", connections("accepted")), (3, 4)),
    (
        stat(
            "Age of data",
            "Since the last successful poll: everything else on this page is as of then. " + CHOSEN + "the oldest.",
            f"max({AGE})",
            unit="s",
            decimals=0,
        ),
        (3, 4),
    ),
    (
        stat(
            "Read whole",
            "Whether every connection that the API reports was read. If this lasts: the paging in the configuration is wrong, or there are more than 2,000 connections.",
            worst("complete"),
            thresholds=steps(base="transparent"),
            mappings=value_map([(1, "yes", "transparent"), (0, "no", "orange")]),
        ),
        (3, 4),
    ),
    (
        stat(
            "Endpoint service",
            "Whether the cluster has an endpoint service. Without one, the cloud answers CSS.5182 and all counts are 0.",
            worst("service_enabled"),
            mappings=yes("enabled", "none"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Updates",
            "vpcepUpdateSwitch, as the API sends it.",
            worst("update_switch"),
            mappings=yes("on", "off"),
        ),
        (2, 4),
    ),
    (
        table(
            "Connections",
            "Every connection; the newest change first. Empty for a cluster with more connections than poll.per_connection_limit. "
            "Since: when the exporter saw the change, or else the time that the API gives. Max sessions: maxSession of the API.",
            {
                "A": of_connections("connection_status", "status"),
                "B": f"max by ({CLUSTER_KEY}, endpoint_id) ({SINCE}) * 1000",
                "C": of_connections("connection_max_sessions"),
                "D": of_connections("connection_info", "specification_name, domain_id, ip, ipv6, dns_name"),
                "E": f"{of_connections('connection_created_timestamp_seconds')} * 1000",
                "F": f"{of_connections('connection_updated_timestamp_seconds')} * 1000",
            },
            {
                "status": "Status",
                "Value #B": "Since",
                "endpoint_id": "Endpoint",
                "cluster_name": "Cluster",
                "Value #C": "Max sessions",
                "ip": "IP",
                "ipv6": "IPv6",
                "domain_id": "Owner (domain)",
                "dns_name": "DNS name",
                "specification_name": "Specification",
                "Value #E": "Created",
                "Value #F": "Updated",
                "instance": "Exporter",
                "cluster_id": "Cluster ID",
            },
            [
                column(
                    "Status",
                    mappings=STATUS_MAP,
                    custom__width=160,
                    custom__cellOptions={"type": "color-background", "mode": "basic"},
                ),
                column("Since", unit="dateTimeFromNow", custom__width=150),
                column("Endpoint", custom__width=UUID_WIDTH),
                column("Cluster", links=[CLUSTER_PAGE], custom__width=120),
                column("Max sessions", unit="none", custom__width=120),
                column("IP", custom__width=110),
                column("IPv6", custom__width=110),
                column("Owner (domain)", custom__width=DOMAIN_WIDTH),
                column("DNS name", custom__width=360),
                column("Specification", custom__width=120),
                column("Created", unit="dateTimeAsIso", custom__width=160),
                column("Updated", unit="dateTimeAsIso", custom__width=160),
                column("Exporter", links=[STATUS_PAGE], custom__width=150),
            ],
            [{"displayName": "Since", "desc": True}],
            hide={"Value #A": True, "Value #D": True, "project": True, "region_id": True},
        ),
        (24, 11),
    ),
    (
        timeline(
            "Connections that were not accepted for some of the time",
            "One line for each connection that had another status than accepted within the time range: what changed, and when. "
            "The latest changes, at most 20.",
            CHANGED,
            "{{endpoint_id}}",
            value_map([(n, s, c) for n, (s, c) in enumerate(STATUS_COLOURS.items(), 1)]),
        ),
        (24, 11),
    ),
    (
        series(
            "Connections by status",
            "How many connections have which status. " + CHOSEN + "all together.",
            f"sum by (status) (max by (cluster_id, status) ({PREFIX}connections{{{CLUSTER}}}))",
            legend="{{status}}",
            colours=STATUS_COLOURS,
            stack=True,
            step=True,
        ),
        (12, 8),
    ),
    (
        series(
            "Changes of status",
            "Changes that the exporter saw, by the status that they led to. Appearing and vanishing is none. "
            "Each change is in one bar.",
            events(f"{PREFIX}connection_transitions_total", CLUSTER, "to"),
            legend="{{to}}",
            colours=STATUS_COLOURS,
            bars=True,
        ),
        (12, 8),
    ),
    (
        series(
            "Age of data",
            "Time since the last successful poll, and three intervals: above that line the cluster is blind.",
            [
                target(f"max by (cluster_name) ({AGE})", "{{cluster_name}}"),
                target(f"3 * max({PREFIX}poll_interval_seconds{{{CLUSTER}}})", "three intervals", "B"),
            ],
            unit="s",
            colours={"three intervals": "red"},
        ),
        (8, 8),
    ),
    (
        timeline(
            "State over time",
            "The worst state of the cluster, as in the fleet's dashboard. The status page says why polls fail.",
            CLUSTER_STATE,
            "{{cluster_name}}",
            STATE_MAP,
        ),
        (8, 8),
    ),
    (
        series(
            "Time that polls take",
            "From the first token of the rate limit to the end; a poll fails at poll.timeout.",
            f"max by (cluster_name) ({PREFIX}poll_duration_seconds{{{CLUSTER}}})",
            unit="s",
            legend="{{cluster_name}}",
        ),
        (8, 8),
    ),
    (
        table(
            "Endpoint services behind the clusters",
            "What the API reports of the service: its name and ID, entries of its whitelist, and how many connections it counts. "
            "Suppressed: 1 if the cluster has too many connections for a series each.",
            {
                "A": f"max by ({CLUSTER_KEY}, vpc_service_name, service_id) ({PREFIX}service_info{{{CLUSTER}}})",
                "B": f"max by ({CLUSTER_KEY}) ({PREFIX}connections_reported{{{CLUSTER}}})",
                "C": f"max by ({CLUSTER_KEY}) ({PREFIX}permissions{{{CLUSTER}}})",
                "D": f"max by ({CLUSTER_KEY}) ({PREFIX}connections_suppressed{{{CLUSTER}}})",
                "E": f"max by ({CLUSTER_KEY}) ({PREFIX}last_attempt_timestamp_seconds{{{CLUSTER}}}) * 1000",
            },
            {
                "cluster_name": "Cluster",
                "Value #B": "Reported",
                "Value #C": "Whitelist",
                "Value #D": "Suppressed",
                "Value #E": "Last poll",
                "project": "Project",
                "region_id": "Region",
                "instance": "Exporter",
                "service_id": "Service ID",
                "vpc_service_name": "Service name",
                "cluster_id": "Cluster ID",
            },
            [
                column("Cluster", links=[CLUSTER_PAGE], custom__width=120),
                column("Service ID", custom__width=UUID_WIDTH),
                column("Service name", custom__width=480),
                column("Cluster ID", custom__width=UUID_WIDTH),
                column("Reported", custom__width=95),
                column("Whitelist", custom__width=95),
                column("Suppressed", custom__width=90),
                column("Last poll", unit="dateTimeFromNow", custom__width=150),
                column("Project", custom__width=100),
                column("Region", custom__width=120),
                column("Exporter", links=[STATUS_PAGE], custom__width=150),
            ],
            [{"displayName": "Cluster", "desc": False}],
            hide={"Value #A": True},
        ),
        (24, 6),
    ),
]

DASHBOARD = dashboard(
    "cluster",
    "CSS VPC endpoints / Cluster",
    "The connections of one cluster, what changed, and how old the data are.",
    ["region", "project", "cluster"],
    PANELS,
    one="cluster",
)
