"""Changes of endpoint services, and whether the record of them can be trusted."""

from .parts import *

ADMIN = "css_vpcep_exporter_admin_"
AUDIT = "css_vpcep_exporter_audit_"
SERVICES = "huaweicloud_vpcep_service_"
KEY = "job, instance, region_id, project, service_id, service_name"
STATUS_OF_SERVICE = value_map(
    [(s, s, c) for s, c in (("available", "text"), ("creating", "blue"), ("deleting", "purple"), ("failed", "red"))]
)


def increase(metric, selector=EXPORTER):
    return f"increase({metric}{{{selector}}}[$__rate_interval])"


def in_range(metric, selector=EXPORTER):
    """How often it happened within the time range of the dashboard."""
    return f"sum(increase({metric}{{{selector}}}[$__range]))"


def of_service(metric, labels=""):
    more = f", {labels}" if labels else ""
    return f"max by ({KEY}{more}) ({SERVICES}{metric}{{{SERVICE}}})"


PANELS = [
    (
        stat(
            "Audit log",
            "Whether the audit log can be written. While it cannot, changes are refused; metrics go on.",
            f"min({AUDIT}healthy{{{EXPORTER}}})",
            thresholds=steps(base="transparent"),
            mappings=value_map([(1, "healthy", "transparent"), (0, "broken", "red")]),
        ),
        (4, 4),
    ),
    (
        stat(
            "Unwritten records",
            "Records that could not be written within the time range. Look at the disk, the owner and the mode of the audit log.",
            in_range(AUDIT + "write_failures_total"),
            decimals=0,
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (4, 4),
    ),
    (
        stat(
            "Unclear changes",
            "Within the time range: changes whose outcome is unknown or partial. Read the service before anything is repeated.",
            in_range(ADMIN + "changes_total", EXPORTER + ', outcome=~"unknown|partial"'),
            decimals=0,
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (4, 4),
    ),
    (
        stat(
            "Changes by someone else",
            "Within the time range: changes of a service that did not go through this exporter. The table says which one.",
            in_range(SERVICES + "unattributed_changes_total", SERVICE),
            decimals=0,
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (4, 4),
    ),
    (
        stat(
            "Unreadable services",
            "Their last reading failed, so the values shown here are old.",
            f"sum(max by (project, service_id) ({SERVICES}up{{{SERVICE}}} == bool 0))",
            thresholds=steps((1, "orange"), base="transparent"),
        ),
        (4, 4),
    ),
    (
        stat(
            "Services not available",
            "Endpoint services whose status is not available.",
            f'count(max by (project, service_id) ({SERVICES}up{{{SERVICE}}})) - count(max by (project, service_id) ({SERVICES}status{{{SERVICE}, status="available"}}))',
            thresholds=steps((1, "red"), base="transparent"),
        ),
        (4, 4),
    ),
    (
        table(
            "Endpoint services",
            "The configured endpoint services as they were at the last read (every 5 minutes). "
            "Connections: as VPCEP counts them. By others: changes within the time range that did not go through this exporter.",
            {
                "A": of_service("status", "status"),
                "B": of_service("approval_enabled"),
                "C": of_service("ports"),
                "D": of_service("connections"),
                "E": f"max by ({KEY}) (increase({SERVICES}unattributed_changes_total{{{SERVICE}}}[$__range]))",
                "F": f"{of_service('updated_timestamp_seconds')} * 1000",
                "G": f"min by ({KEY}) ({age(SERVICES + 'last_success_timestamp_seconds', SERVICE)})",
                "H": of_service("up"),
            },
            {
                "service_name": "Service",
                "status": "Status",
                "Value #H": "Last read",
                "Value #B": "Approval",
                "Value #C": "Port mappings",
                "Value #D": "Connections",
                "Value #E": "By others",
                "Value #F": "Updated",
                "Value #G": "Age of data",
                "project": "Project",
                "region_id": "Region",
                "instance": "Exporter",
                "service_id": "Service ID",
            },
            [
                column("Status", mappings=STATUS_OF_SERVICE, custom__width=110, custom__cellOptions={"type": "color-text"}),
                column(
                    "Last read",
                    mappings=value_map([(1, "good", "text"), (0, "failed", "orange")]),
                    custom__width=100,
                    custom__cellOptions={"type": "color-text"},
                ),
                column("Approval", mappings=value_map([(1, "required", "text"), (0, "not required", "text")]), custom__width=120),
                column("Port mappings", custom__width=120),
                column("Connections", custom__width=110),
                column(
                    "By others",
                    decimals=0,
                    thresholds=steps((1, "orange")),
                    custom__width=100,
                    custom__cellOptions={"type": "color-text"},
                ),
                column("Updated", unit="dateTimeFromNow", custom__width=150),
                column("Age of data", unit="s", decimals=0, custom__width=120),
                column("Project", custom__width=90),
                column("Region", custom__width=120),
                column("Service ID", custom__width=UUID_WIDTH),
                column("Exporter", links=[STATUS_PAGE], custom__width=150),
            ],
            [{"displayName": "By others", "desc": True}],
            hide={"Value #A": True},
        ),
        (24, 8),
    ),
    (
        series(
            "Changes",
            "What became of changes that were asked of this exporter, and services that moved otherwise: console, Terraform, another tool. "
            "unknown and partial need a person: read the service, then the audit log. "
            "Each change is in one bar.",
            [
                target(events(ADMIN + "changes_total", EXPORTER, "outcome"), "{{outcome}}"),
                target(events(SERVICES + "unattributed_changes_total", SERVICE, ""), "by someone else", "B"),
            ],
            bars=True,
            colours={
                "applied": "green",
                "unknown": "red",
                "partial": "dark-red",
                "not_applied": "orange",
                "rejected": "yellow",
                "not_sent": "light-orange",
                "planned": "blue",
                "unchanged": "text",
                "by someone else": "purple",
            },
        ),
        (12, 8),
    ),
    (
        series(
            "Denied requests",
            "Requests that the admin listener refused: a wrong token, a role or service that the token does not cover, a wrong Host, or too many requests.",
            f"sum by (reason) ({increase(ADMIN + 'denied_total')})",
            legend="{{reason}}",
            bars=True,
        ),
        (12, 8),
    ),
    (
        series(
            "Audit records by kind",
            "intent before a change is sent, outcome after it, denied, and opened at the start of a log. An intent without an outcome needs a look.",
            f"sum by (kind) ({increase(AUDIT + 'records_total')})",
            legend="{{kind}}",
            bars=True,
        ),
        (8, 8),
    ),
    (
        series(
            "Last sequence number",
            "It never falls. If it does, the log was replaced: run audit verify over all its files.",
            f"max by (instance) ({AUDIT}last_sequence{{{EXPORTER}}})",
            legend="{{instance}}",
            step=True,
        ),
        (8, 8),
    ),
    (
        series(
            "Connections of the services",
            "As VPCEP counts them: those that are accepted or being created.",
            f"sum by (service_name) (max by (project, service_id, service_name) ({SERVICES}connections{{{SERVICE}}}))",
            legend="{{service_name}}",
            step=True,
        ),
        (8, 8),
    ),
]

DASHBOARD = dashboard(
    "changes",
    "CSS VPC endpoints / Changes and audit",
    "Changes of endpoint services and their outcomes, the health of the audit log, and changes that were made without the exporter.",
    ["region", "project", "service"],
    PANELS,
)
