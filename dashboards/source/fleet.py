"""Every cluster at one glance: what is wrong, since when, and what is not known."""

from .exporter import FAILED_POLLS
from .parts import *

SINCE = f"huaweicloud_css_vpcep_connection_status_since_timestamp_seconds{{{CLUSTER}}}"
TROUBLE = f'huaweicloud_css_vpcep_connection_status{{{CLUSTER}, status=~"rejected|failed|pendingAcceptance|unknown"}}'
# The value is the time of the change in milliseconds, as the units of Grafana want it; 0 if it is not known.
TROUBLE_SINCE = f"""topk(500,
  (
    {TROUBLE} * on ({CONNECTION}) group_left () {SINCE} * 1000
    or {TROUBLE} * 0
  )
  * on ({CONNECTION}) group_left (ip, domain_id) huaweicloud_css_vpcep_connection_info{{{CLUSTER}}}
)"""


def by_status(status):
    selector = f'huaweicloud_css_vpcep_connections{{{CLUSTER}, status=~"{status}"}}'
    return f"sum by ({CLUSTER_KEY}) ({selector})"


def coloured_count(name, colour):
    return column(
        name,
        custom__width=90,
        custom__cellOptions={"type": "color-background", "mode": "basic"},
        thresholds=steps((1, colour), base="transparent"),
    )


SEEN_CHANGE = "Cached values: a blind cluster keeps its last ones until poll.stale_after."

PANELS = [
    (
        stat(
            "Rejected",
            "Connections that are rejected now. Which ones, and since when, is in the table below. " + SEEN_CHANGE,
            connections("rejected"),
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Failed",
            "Connections that failed to be made. " + SEEN_CHANGE,
            connections("failed"),
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Waiting",
            "Connections in pendingAcceptance: someone has to accept or reject them.",
            connections("pendingAcceptance"),
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Blind clusters",
            "Blind: no poll has succeeded yet, or the last success is more than three intervals ago. The other panels show old data for them.",
            BLIND,
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Polls failing",
            "They still show the data of the last success. The panel of failed polls and the status page give the reason.",
            f"sum(max by (project, cluster_id) (huaweicloud_css_vpcep_up{{{CLUSTER}}} == bool 0))",
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Exporters down",
            "Exporters that Prometheus cannot scrape. Their clusters are missing everywhere on this page.",
            f"sum(up{{{EXPORTER}}} == bool 0)",
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (3, 4),
    ),
    (
        stat(
            "Clusters",
            "Clusters that are configured. A cluster that two exporters poll counts once.",
            f"count(max by (project, cluster_id) (huaweicloud_css_vpcep_poll_interval_seconds{{{CLUSTER}}}))",
        ),
        (3, 4),
    ),
    (
        stat("Accepted", "Connections that are accepted: in use.", connections("accepted")),
        (3, 4),
    ),
    (
        table(
            "Connections that need attention",
            "Connections that are rejected, failed, unknown or waiting for acceptance; the newest change first, at most 500. "
            "The time is when the exporter saw the change, or else the time that the API gives.",
            {"A": TROUBLE_SINCE},
            {
                "status": "Status",
                "Value": "Since",
                "cluster_name": "Cluster",
                "endpoint_id": "Endpoint",
                "ip": "IP",
                "domain_id": "Owner (domain)",
                "project": "Project",
                "region_id": "Region",
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
                column(
                    "Since",
                    unit="dateTimeFromNow",
                    mappings=value_map([(0, "not known", "text")]),
                    custom__width=150,
                ),
                column("Cluster", links=[CLUSTER_DASHBOARD, CLUSTER_PAGE], custom__width=120),
                column("Endpoint", custom__width=UUID_WIDTH),
                column("IP", custom__width=110),
                column("Owner (domain)", custom__width=DOMAIN_WIDTH),
                column("Project", custom__width=90),
                column("Region", custom__width=120),
                column("Exporter", links=[STATUS_PAGE], custom__width=150),
                column("Cluster ID", custom__width=UUID_WIDTH),
            ],
            [{"displayName": "Since", "desc": True}],
            unit="none",
        ),
        (24, 8),
    ),
    (
        table(
            "Clusters, the worst first",
            "The state is the worst that holds: no fresh data, rejected or failed connections, last poll failed, not read whole, "
            "connections that wait for acceptance, fine. The cluster's name leads to its dashboard and to its status page.",
            {
                "A": CLUSTER_STATE,
                "B": by_status("rejected"),
                "C": by_status("failed"),
                "D": by_status("pendingAcceptance"),
                "E": by_status("accepted"),
                "F": f"min by ({CLUSTER_KEY}) ({AGE})",
                "G": f"max by ({CLUSTER_KEY}) ({SINCE}) * 1000",
            },
            {
                "cluster_name": "Cluster",
                "Value #A": "State",
                "Value #B": "Rejected",
                "Value #C": "Failed",
                "Value #D": "Waiting",
                "Value #E": "Accepted",
                "Value #G": "Last change",
                "Value #F": "Age of data",
                "project": "Project",
                "region_id": "Region",
                "instance": "Exporter",
                "cluster_id": "Cluster ID",
            },
            [
                column("Cluster", links=[CLUSTER_DASHBOARD, CLUSTER_PAGE], custom__width=150),
                column(
                    "State",
                    mappings=STATE_MAP,
                    custom__align="left",
                    custom__width=170,
                    custom__cellOptions={"type": "color-background", "mode": "basic"},
                ),
                coloured_count("Rejected", "red"),
                coloured_count("Failed", "red"),
                coloured_count("Waiting", "orange"),
                column("Accepted", custom__width=95),
                column("Last change", unit="dateTimeFromNow", custom__width=150),
                column("Age of data", unit="s", decimals=0, custom__width=120),
                column("Project", custom__width=90),
                column("Region", custom__width=120),
                column("Exporter", links=[STATUS_PAGE], custom__width=150),
                column("Cluster ID", custom__width=UUID_WIDTH),
            ],
            [{"displayName": "State", "desc": True}],
        ),
        (24, 8),
    ),
    (
        series(
            "Connections that are not accepted",
            "By status, all clusters together. A step upwards is when it began.",
            f'sum by (status) (max by (cluster_id, status) (huaweicloud_css_vpcep_connections{{{CLUSTER}, status!="accepted"}}))',
            legend="{{status}}",
            colours={s: c for s, c in STATUS_COLOURS.items() if s != "accepted"},
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
            events("huaweicloud_css_vpcep_connection_transitions_total", CLUSTER, "to"),
            legend="{{to}}",
            colours=STATUS_COLOURS,
            bars=True,
        ),
        (12, 8),
    ),
    (
        series(
            "Failed polls by reason",
            "Why clusters cannot be read. Each reason is explained in the exporter's manual, under troubleshooting.",
            FAILED_POLLS,
            unit="ops",
            colours={"all": "text"},
        ),
        (12, 8),
    ),
    (
        series(
            "Clusters without fresh data",
            "Clusters whose last success is more than three intervals ago, or that have none, over time.",
            [
                target(BLIND, "no fresh data"),
                target(
                    f"sum(max by (project, cluster_id) (huaweicloud_css_vpcep_up{{{CLUSTER}}} == bool 0))",
                    "last poll failed",
                    "B",
                ),
            ],
            colours={"no fresh data": "red", "last poll failed": "orange"},
            step=True,
        ),
        (12, 8),
    ),
]

DASHBOARD = dashboard(
    "fleet",
    "CSS VPC endpoints / Fleet",
    "Which connections to CSS clusters are rejected, failed or waiting, since when, and which clusters cannot be read.",
    ["region", "project", "cluster"],
    PANELS,
)
